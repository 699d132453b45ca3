"""Mail: single messages and mailboxes."""
