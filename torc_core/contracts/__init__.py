"""What plugins implement."""
