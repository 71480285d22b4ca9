//! What is encoded decodes to what it was, whole and piece by piece.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::io::Read;

use proptest::prelude::*;
use slimeweb_compress::{Coding, Flush, open};

/// All that can be decoded so far, and whether that is a complete body.
fn decode(coding: Coding, encoded: &[u8]) -> (Vec<u8>, bool) {
    let mut decoder: Box<dyn Read> = match coding {
        Coding::Gzip => Box::new(flate2::read::GzDecoder::new(encoded)),
        Coding::Brotli => Box::new(brotli::Decompressor::new(encoded, 4096)),
        Coding::Zstd => Box::new(zstd::stream::read::Decoder::new(encoded).unwrap()),
    };
    let (mut decoded, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match decoder.read(&mut piece) {
            Ok(0) => return (decoded, true),
            Ok(read) => decoded.extend_from_slice(&piece[..read]),
            Err(_) => return (decoded, false),
        }
    }
}

fn encode(coding: Coding, level: u32, length: Option<u64>, pieces: &[Vec<u8>], between: Flush) -> Vec<u8> {
    let (mut encoder, mut out) = (open(coding, level, length).unwrap(), Vec::new());
    for piece in pieces {
        encoder.encode(piece, between, &mut out).unwrap();
    }
    encoder.encode(&[], Flush::Finish, &mut out).unwrap();
    out
}

fn text(length: usize) -> Vec<u8> {
    (0_u32..)
        .flat_map(|n| format!("line {n} of some text that repeats, {}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
        .take(length)
        .collect()
}

/// Bytes that no codec can make smaller (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(length)
    .collect()
}

#[test]
fn every_level_decodes() {
    let body = text(150_000);
    for coding in Coding::ALL {
        for level in coding.levels() {
            for length in [None, Some(body.len() as u64)] {
                let encoded = encode(coding, level, length, std::slice::from_ref(&body), Flush::None);
                assert!(encoded.len() < body.len() / 2, "{coding:?} {level}: {} bytes", encoded.len());
                assert_eq!(decode(coding, &encoded), (body.clone(), true), "{coding:?} {level}");
            }
        }
    }
}

#[test]
fn levels_that_there_are_not_are_refused() {
    for coding in Coding::ALL {
        for level in [0, coding.levels().end() + 1, u32::MAX] {
            let Err(error) = open(coding, level, None) else { panic!("{coding:?} {level}") };
            assert_eq!(
                error.to_string(),
                format!("{} has no level {level}: use 1 to {}", coding.token(), coding.levels().end())
            );
        }
    }
}

#[test]
fn bodies_without_bytes_and_bodies_that_do_not_compress() {
    for coding in Coding::ALL {
        for level in [*coding.levels().start(), *coding.levels().end()] {
            for body in [Vec::new(), vec![0], noise(400_000), text(1_200_000)] {
                for length in [None, Some(body.len() as u64)] {
                    let encoded = encode(coding, level, length, std::slice::from_ref(&body), Flush::None);
                    assert!(
                        encoded.len() <= body.len() + body.len() / 16 + 64,
                        "{coding:?} {level}: {} of {}",
                        encoded.len(),
                        body.len()
                    );
                    assert!(
                        decode(coding, &encoded) == (body.clone(), true),
                        "{coding:?} {level}: {} bytes",
                        body.len()
                    );
                }
            }
        }
    }
}

#[test]
fn what_has_been_flushed_can_be_decoded() {
    for coding in Coding::ALL {
        for level in coding.levels() {
            let (mut encoder, mut out, mut expected) = (open(coding, level, None).unwrap(), Vec::new(), Vec::new());
            for piece in [text(10), noise(5), text(70_000), vec![7], noise(40_000)] {
                expected.extend_from_slice(&piece);
                encoder.encode(&piece, Flush::None, &mut out).unwrap();
                encoder.encode(&[], Flush::Sync, &mut out).unwrap();
                let (decoded, _) = decode(coding, &out);
                assert!(decoded == expected, "{coding:?} {level}: {} of {} bytes", decoded.len(), expected.len());
            }
        }
    }
}

#[test]
fn a_body_cut_before_its_end_is_not_complete() {
    for coding in Coding::ALL {
        let encoded = encode(coding, 1, None, &[text(50_000)], Flush::None);
        let (_, complete) = decode(coding, &encoded[..encoded.len() - 1]);
        assert!(!complete, "{coding:?}");
    }
}

#[test]
fn gzip_and_zstd_say_what_their_decoders_need() {
    let gzip = encode(Coding::Gzip, 1, None, &[text(10)], Flush::None);
    assert_eq!(&gzip[..10], b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\x03", "deflate, no flags, no time, fastest, Unix");
    let zstd = encode(Coding::Zstd, 22, None, &[noise(300_000)], Flush::None);
    assert_eq!(&zstd[..4], b"\x28\xb5\x2f\xfd");
    // RFC 8878, section 3.1.1.1.2: no content size is known, so the window is described.
    let window = 1_u64 << (10 + (zstd[5] >> 3));
    assert!(window <= 8 << 20, "RFC 9659 allows 8 MiB, not {window}");
}

#[test]
fn a_length_that_was_wrong_is_an_error_where_the_format_tells_it() {
    let mut encoder = open(Coding::Zstd, 1, Some(10)).unwrap();
    let mut out = Vec::new();
    let outcome =
        encoder.encode(&text(11), Flush::None, &mut out).and_then(|()| encoder.encode(&[], Flush::Finish, &mut out));
    assert!(outcome.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_in_any_pieces(
        coding in proptest::sample::select(&Coding::ALL[..]),
        level in 1_u32..=9,
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2_000), 0..12),
        flushed in any::<bool>(),
        announced in any::<bool>(),
    ) {
        let body = pieces.concat();
        let length = announced.then_some(body.len() as u64);
        let between = if flushed { Flush::Sync } else { Flush::None };
        prop_assert_eq!(decode(coding, &encode(coding, level, length, &pieces, between)), (body, true));
    }
}
