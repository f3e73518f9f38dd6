"""What every operation is protected by, before Cognito is called."""
