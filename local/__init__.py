"""The service on this machine: an emulator of AWS, the real stack in it, and a demo user."""
