use openpeer_core::finder::Source;
use std::net::IpAddr;

/// The network that an address belongs to, for rate limits: /24 for IPv4, /56 for IPv6. An IPv4-mapped IPv6 address is
/// the IPv4 address, as sockets on `[::]` show it.
pub(crate) fn source_of(address: IpAddr) -> Source {
    let mut prefix = [0; 8];
    match address.to_canonical() {
        // The first byte tells the families apart: no global unicast IPv6 address begins with 4.
        IpAddr::V4(v4) => {
            prefix[0] = 4;
            prefix[1..4].copy_from_slice(&v4.octets()[..3]);
        }
        IpAddr::V6(v6) => prefix[..7].copy_from_slice(&v6.octets()[..7]),
    }
    Source(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        source_of(text.parse().unwrap())
    }

    #[test]
    fn neighbours_share_a_source() {
        assert!(source("192.0.2.1") == source("192.0.2.254"));
        assert!(source("192.0.2.1") == source("::ffff:192.0.2.77"));
        assert!(source("192.0.2.1") != source("192.0.3.1"));
        assert!(source("2001:db8:0:12aa::1") == source("2001:db8:0:1200::2"));
        assert!(source("2001:db8:0:12aa::1") != source("2001:db8:0:13aa::1"));
    }
}
