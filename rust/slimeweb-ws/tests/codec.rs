//! The decoder against arbitrary bytes, arbitrary cuts, and what the encoder writes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use proptest::prelude::*;
use slimeweb_ws::{
    Close, Decoded, Decoder, Deflater, Encoder, Error, ErrorKind, Inflater, Limits, Message, MessageKind, Opcode, Role,
    apply_mask, write_frame,
};

const LIMIT: usize = 20_000;
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

fn server(compression: bool) -> Decoder {
    Decoder::new(Role::Server, Limits::of_message(LIMIT), compression.then(|| Inflater::new(15, true)))
}

/// All events, and the error that ended them.
fn decode<'a>(decoder: &mut Decoder, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Decoded>, Option<Error>) {
    let mut events = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
        assert!(piece.is_empty(), "None means that everything was read");
    }
    (events, None)
}

fn cut<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut start = 0;
    for place in places {
        pieces.push(&bytes[start..place]);
        start = place;
    }
    pieces.push(&bytes[start..]);
    pieces
}

/// Frames as a client might send them, good and bad.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let frame = (
        prop::sample::select(vec![0x0_u8, 0x1, 0x1, 0x2, 0x2, 0x8, 0x9, 0xA, 0x3]),
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.2),
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "\\PC{0,60}".prop_map(String::into_bytes),
            Just(vec![b'x'; 300])
        ],
    )
        .prop_map(|(opcode, fin, compressed, payload)| {
            let mut bytes = vec![u8::from(fin) << 7 | u8::from(compressed) << 6 | opcode];
            raw_length(payload.len(), &mut bytes);
            bytes.extend(KEY);
            let start = bytes.len();
            bytes.extend(payload);
            apply_mask(&mut bytes[start..], KEY, 0);
            bytes
        });
    prop::collection::vec(frame, 0..8).prop_map(|frames| frames.concat())
}

fn raw_length(length: usize, bytes: &mut Vec<u8>) {
    match length {
        0..126 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        _ => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    raw_length(payload.len(), &mut bytes);
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn one(bytes: &[u8]) -> Result<Vec<Decoded>, Error> {
    match decode(&mut server(false), [bytes]) {
        (events, None) => Ok(events),
        (_, Some(error)) => Err(error),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, compression: bool, places: Vec<usize>) {
        decode(&mut server(compression), cut(&bytes, &places));
        let mut client = Decoder::new(Role::Client, Limits { message: 100, frame: 50 }, None);
        decode(&mut client, cut(&bytes, &places));
    }

    #[test]
    fn where_the_input_is_cut_makes_no_difference(bytes in frames(), compression: bool, places in prop::collection::vec(any::<usize>(), 0..12)) {
        let whole = decode(&mut server(compression), [&bytes[..]]);
        let pieces = decode(&mut server(compression), cut(&bytes, &places));
        let bytewise = decode(&mut server(compression), bytes.chunks(1));
        prop_assert_eq!(&whole.0, &pieces.0);
        prop_assert_eq!(whole.1.is_some(), pieces.1.is_some());
        prop_assert_eq!(&whole.0, &bytewise.0);
        prop_assert_eq!(whole.1.is_some(), bytewise.1.is_some());
    }

    #[test]
    fn what_is_encoded_is_decoded(
        messages in prop::collection::vec((any::<bool>(), "\\PC{0,400}"), 1..6),
        mask: [u8; 4], bits in 9_u8..=15, keep: bool, compression: bool, threshold in 0_usize..200,
        places in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let mut encoder = Encoder::new(compression.then(|| Deflater::new(1, bits, keep)), threshold);
        let mut wire = Vec::new();
        for (text, message) in &messages {
            let kind = if *text { MessageKind::Text } else { MessageKind::Binary };
            wire.extend(encoder.message(kind, message.as_bytes(), Some(mask)));
            write_frame(Opcode::Ping, b"still there?", Some(mask), &mut wire);
        }
        let mut decoder =
            Decoder::new(Role::Server, Limits::of_message(LIMIT), compression.then(|| Inflater::new(bits, keep)));
        let (events, error) = decode(&mut decoder, cut(&wire, &places));
        prop_assert_eq!(error, None);
        let expected: Vec<Decoded> = messages
            .into_iter()
            .flat_map(|(text, message)| {
                let message = if text { Message::Text(message) } else { Message::Binary(message.into_bytes()) };
                [Decoded::Message(message), Decoded::Ping(b"still there?".to_vec())]
            })
            .collect();
        prop_assert_eq!(events, expected);
    }

    #[test]
    fn text_is_refused_as_soon_as_it_cannot_become_utf8(good in "\\PC{0,20}", bad in prop::sample::select(vec![0xC0_u8, 0xF5, 0xFF, 0x80])) {
        // A frame that announces more than ever comes: the error does not wait for its end.
        let mut bytes = vec![0x81, 0xFE, 0x10, 0x00, 0, 0, 0, 0];
        bytes.extend(good.as_bytes());
        prop_assert_eq!(one(&bytes), Ok(vec![]));
        bytes.push(bad);
        prop_assert_eq!(one(&bytes).unwrap_err().code(), 1007);
    }
}

#[test]
fn frames_that_break_the_protocol() {
    let table: [(&str, Vec<u8>, u16); 17] = [
        ("a client that does not mask", vec![0x81, 0x01, b'a'], 1002),
        ("RSV2", vec![0xA1], 1002),
        ("RSV3", vec![0x91], 1002),
        ("RSV1 without compression", vec![0xC1], 1002),
        ("opcode 3", vec![0x83], 1002),
        ("opcode 11", vec![0x8B], 1002),
        ("a ping in fragments", vec![0x09], 1002),
        ("a ping of 126 bytes", vec![0x89, 0xFE], 1002),
        ("a length in more bytes than needed", vec![0x82, 0xFE, 0, 125, 0, 0, 0, 0], 1002),
        ("a length of 2^63", vec![0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1002),
        ("a continuation of nothing", frame(0x80, b"a"), 1002),
        ("a message inside a message", [frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002),
        ("a close of one byte", frame(0x88, &[3]), 1002),
        ("a close code that must not be sent", frame(0x88, &1005_u16.to_be_bytes()), 1002),
        ("a close reason that is not UTF-8", frame(0x88, &[3, 0xE8, 0xFF]), 1007),
        ("text that ends inside a character", frame(0x81, &[0xC3]), 1007),
        ("a surrogate", frame(0x81, &[0xED, 0xA0, 0x80]), 1007),
    ];
    for (what, bytes, code) in table {
        assert_eq!(one(&bytes).map_err(|error| error.code()), Err(code), "{what}");
    }
}

#[test]
fn fragments_make_one_message_and_control_frames_may_come_between() {
    let wire = [frame(0x01, b"\xC3"), frame(0x89, b"p"), frame(0x00, b"\xA9"), frame(0x80, b"!")].concat();
    let expected = vec![Decoded::Ping(b"p".to_vec()), Decoded::Message(Message::Text("é!".to_owned()))];
    assert_eq!(one(&wire), Ok(expected));
}

#[test]
fn after_a_close_nothing_is_read() {
    let wire = [frame(0x88, b"\x03\xE8bye"), frame(0x81, b"more"), vec![0xFF; 50]].concat();
    let close = Close { code: 1000, reason: "bye".to_owned() };
    assert_eq!(one(&wire), Ok(vec![Decoded::Close(Some(close))]));
}

#[test]
fn the_limit_is_for_the_whole_message_and_known_from_the_head() {
    let most = [frame(0x02, &vec![0; LIMIT - 1]), frame(0x80, &[0])].concat();
    assert!(matches!(&one(&most).unwrap()[..], [Decoded::Message(message)] if message.len() == LIMIT));
    let more = [frame(0x02, &vec![0; LIMIT - 1]), vec![0x80, 0x82, 0, 0, 0, 0]].concat();
    assert_eq!(one(&more).unwrap_err().kind(), ErrorKind::TooBig);
    let huge = [0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
    assert_eq!(one(&huge).unwrap_err().kind(), ErrorKind::TooBig);
}

#[test]
fn after_a_message_above_the_limit_only_the_close_counts() {
    let mut decoder = server(false);
    let wire = [
        frame(0x02, &vec![0; LIMIT]),
        frame(0x00, b"more"),
        frame(0x89, b"ping"),
        frame(0x80, b"end"),
        frame(0x81, b"text"),
        frame(0x88, b"\x03\xF1"),
    ]
    .concat();
    let mut rest = &wire[..];
    assert_eq!(decoder.decode(&mut rest).unwrap_err().kind(), ErrorKind::TooBig);
    let close = Decoded::Close(Some(Close { code: 1009, reason: String::new() }));
    assert_eq!(decoder.decode(&mut rest), Ok(Some(close)));
    assert!(rest.is_empty());
}

#[test]
fn the_limit_counts_decompressed_bytes() {
    let bomb =
        Encoder::new(Some(Deflater::new(9, 15, false)), 0).message(MessageKind::Binary, &vec![0; 1 << 20], Some(KEY));
    assert!(bomb.len() < 2000);
    let (events, error) = decode(&mut server(true), [&bomb[..]]);
    assert_eq!((events, error.map(|error| error.code())), (vec![], Some(1009)));
}

#[test]
fn a_compressed_message_cannot_go_on_for_ever_without_contents() {
    // Stored blocks of no bytes: they decompress to nothing.
    let blocks = [0x00, 0x00, 0x00, 0xFF, 0xFF].repeat(100);
    let mut decoder = server(true);
    let mut wire = frame(0x41, &blocks);
    let mut frames = 0;
    while decode(&mut decoder, [&wire[..]]).1.is_none() {
        wire = frame(0x00, &blocks);
        frames += 1;
        assert!(frames < 100, "no end to it");
    }
}
