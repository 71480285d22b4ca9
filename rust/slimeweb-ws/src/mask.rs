//! Masking (RFC 6455, section 5.3).

/// Masks or unmasks `data` in place. `offset` is where in the frame's payload `data` begins.
pub fn apply_mask(data: &mut [u8], key: [u8; 4], offset: usize) {
    // Turned so that the first byte of `data` meets its own byte of the key.
    let mut turned = key;
    turned.rotate_left(offset % 4);
    let [a, b, c, d] = turned;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = data.chunks_exact_mut(8);
    for chunk in &mut words {
        if let Ok(bytes) = <[u8; 8]>::try_from(&*chunk) {
            chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ word).to_ne_bytes());
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(turned.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::apply_mask;

    proptest! {
        #[test]
        fn every_byte_meets_its_own_key_byte(data: Vec<u8>, key: [u8; 4], offset in 0_usize..9) {
            let mut masked = data.clone();
            apply_mask(&mut masked, key, offset);
            let plain: Vec<u8> = data.iter().enumerate().map(|(i, byte)| byte ^ key[(i + offset) % 4]).collect();
            prop_assert_eq!(masked, plain);
        }
    }
}
