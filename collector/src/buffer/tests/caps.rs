//! What happens at the caps, and with content.
