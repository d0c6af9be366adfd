//! Variables that Kubernetes and container links put into every process for a service by name.
//!
//! A service called `certfleet` or `certfleet-admin` makes variables such as
//! `CERTFLEET_SERVICE_HOST` and `CERTFLEET_ADMIN_PORT_443_TCP_ADDR` appear in its own nodes. Nobody
//! wrote them, so they are passed over. They are told by their form: no setting has a key and a
//! value like them.

use std::ffi::OsStr;

/// Whether a variable, its prefix taken off and in lower case, is a service link.
pub(super) fn is_one(key: &str, value: &OsStr) -> bool {
    let parts: Vec<_> = key.split('_').collect();
    match parts.as_slice() {
        [.., "service", "host"] => true,
        [.., "port", port, protocol] | [.., "port", port, protocol, "proto" | "port" | "addr"]
            if port.parse::<u16>().is_ok() && matches!(*protocol, "tcp" | "udp" | "sctp") =>
        {
            true
        }
        [.., "port"] if !key.ends_with("service_port") => ["tcp://", "udp://", "sctp://"]
            .iter()
            .any(|scheme| value.to_string_lossy().starts_with(scheme)),
        parts => parts.windows(2).any(|pair| pair == ["service", "port"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_links_from_settings() {
        for (key, value) in [
            ("service_host", "10.0.0.1"),
            ("service_port", "443"),
            ("service_port_https", "443"),
            ("port", "tcp://10.0.0.1:443"),
            ("port_443_tcp", "tcp://10.0.0.1:443"),
            ("admin_port_9180_tcp_addr", "10.0.0.1"),
            ("admin_service_host", "10.0.0.1"),
        ] {
            assert!(is_one(key, value.as_ref()), "{key}");
        }
        for (key, value) in [
            ("port", "443"),
            ("http_port", "80"),
            ("service", "x"),
            ("port_x_tcp", "1"),
            ("redis_ur", "redis://x"),
        ] {
            assert!(!is_one(key, value.as_ref()), "{key}");
        }
    }

    #[test]
    fn no_setting_looks_like_one() {
        for setting in super::super::known::ALL {
            assert!(
                !is_one(setting.key, setting.example.as_ref()),
                "{}",
                setting.key
            );
        }
    }
}
