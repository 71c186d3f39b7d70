"""What each verb does, without a screen."""
