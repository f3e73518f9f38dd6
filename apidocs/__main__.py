"""`make docs`: write every generated document."""

from apidocs import ROOT
from apidocs.documents import write_all

for file, text in write_all().items():
    (ROOT / file).write_text(text)
