"""The function that writes the messages in which Cognito sends codes."""
