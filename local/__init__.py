"""Run the service on this machine: the real stack in an emulator of AWS, with a demo user."""
