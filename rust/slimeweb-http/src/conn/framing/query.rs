//! Queries with bytes that clients send as they are, although they belong percent-encoded (RFC 3986, section 2.1).

/// The places of such bytes in `query`, in order: no `http::Uri` takes them.
pub(crate) fn raw_places(query: &[u8]) -> impl Iterator<Item = usize> {
    query.iter().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'<' | b'>' | 0x80..)).map(|(at, _)| at)
}

/// `bytes` with those at `places`, which are in order, in percent-encoding.
pub(crate) fn percent_encoded(bytes: &[u8], places: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(bytes.len());
    let mut start = 0;
    for place in places {
        let Some(byte) = bytes.get(place) else { break };
        encoded.extend_from_slice(bytes.get(start..place).unwrap_or_default());
        if *byte == b'\n' {
            // A line feed that ends a trailer by itself: hyper refuses a return without one.
            encoded.extend_from_slice(b"\r\0");
        } else {
            encoded.extend_from_slice(percent_encoding::percent_encode_byte(*byte).as_bytes());
        }
        start = place + 1;
    }
    encoded.extend_from_slice(bytes.get(start..).unwrap_or_default());
    encoded
}
