//! DNS-01 (RFC 8555 section 8.4): TXT records at DNS providers, and their propagation.
