//! Forms of any bytes, cut anywhere.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::blocks::{BLOCK, Source};
use super::form::gather;
use super::{Content, FormLimits, UploadDir};
use crate::error::BodyError;

/// A body in pieces, and how many bytes of it have been taken.
struct Pieces<'a>(VecDeque<Bytes>, &'a mut usize);

impl Source for Pieces<'_> {
    async fn chunk(&mut self) -> Option<Result<Bytes, BodyError>> {
        let piece = self.0.pop_front()?;
        *self.1 += piece.len();
        Some(Ok(piece))
    }
}

/// Names, filenames and contents, fields first; or what was wrong.
type Verdict = Result<Vec<(String, Option<String>, Vec<u8>)>, String>;

/// Reads `body`, cut into pieces of `sizes` over and over. With the verdict, how many bytes were taken for it.
fn read(body: &[u8], sizes: &[usize]) -> (Verdict, usize) {
    let mut pieces = VecDeque::new();
    let mut rest = Bytes::copy_from_slice(body);
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        pieces.push_back(rest.split_to(rest.len().min(*size)));
    }
    let mut taken = 0;
    let limits = FormLimits { memory: 100, fields: 30_000, parts: 10, directory: Arc::new(UploadDir::new(None)) };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let form = runtime.block_on(gather(Pieces(pieces, &mut taken), "XX", &limits));
    let form = form.map_err(|error| error.to_string()).map(|form| {
        let fields = form.fields.into_iter().map(|(name, value)| (name, None, value.into_bytes()));
        let files = form.files.into_iter().map(|file| {
            let bytes = match file.content {
                Content::Memory(bytes) => bytes.to_vec(),
                Content::Disk(path) => std::fs::read(path).unwrap(),
            };
            (file.field, Some(file.original_filename), bytes)
        });
        fields.chain(files).collect()
    });
    (form, taken)
}

/// What forms are made of, and what nearly looks like it.
fn scraps() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&[u8]] = &[
        b"--XX",
        b"\r\n--XX",
        b"\r\n--XX\r\n",
        b"\r\n--XX--\r\n",
        b"\r\n--X",
        b"--",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b" \t",
        b"Content-Disposition: form-data; name=a\r\n\r\n",
        b"Content-Disposition: form-data; name=a; filename=\"b\"\r\n\r\n",
        b"Content-Disposition: form-data; name=\"a",
        b"Content-Type: text/plain; charset=x\r\n",
        b"no field",
        b"\0",
        "é".as_bytes(),
    ];
    let scrap = prop_oneof![
        6 => select(WORDS).prop_map(<[u8]>::to_vec),
        2 => vec(any::<u8>(), 0..40),
        1 => (any::<u8>(), 0..40_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ];
    vec(scrap, 0..24).prop_map(|scraps| scraps.concat())
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1..8_usize, 1..50_000_usize], 1..12)
}

/// A part's content, with what could be taken for a delimiter.
fn content() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&[u8]] = &[b"\r\n--X", b"\r\n--", b"\r\n", b"\r", b"--XX", b"\n--XX", b"\r\r\n--xx", b"x"];
    let scrap = prop_oneof![
        8 => select(WORDS).prop_map(<[u8]>::to_vec),
        1 => (0..20_000_usize).prop_map(|length| vec![b'y'; length]),
    ];
    let content = vec(scrap, 0..12).prop_map(|scraps| scraps.concat());
    content.prop_filter("holds a delimiter", |content| memchr::memmem::find(content, b"\r\n--XX").is_none())
}

proptest! {
    #[test]
    fn the_verdict_does_not_depend_on_the_cuts(
        begins in any::<bool>(),
        scraps in scraps(),
        ends in any::<bool>(),
        sizes in sizes(),
    ) {
        let begin = if begins { "--XX\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n" } else { "" };
        let end = if ends { "\r\n--XX--" } else { "" };
        let body = [begin.as_bytes(), &scraps, end.as_bytes()].concat();
        prop_assert_eq!(read(&body, &sizes).0, read(&body, &[body.len().max(1)]).0);
    }

    #[test]
    fn what_is_sent_arrives(contents in vec((any::<bool>(), content()), 0..10), sizes in sizes()) {
        let mut body = Vec::new();
        let mut expected = Vec::new();
        for (is_file, content) in &contents {
            let filename = if *is_file { "; filename=\"g\"" } else { "" };
            body.extend(format!("--XX\r\nContent-Disposition: form-data; name=\"f\"{filename}\r\n\r\n").into_bytes());
            body.extend(content);
            body.extend(b"\r\n");
            expected.push(("f".to_owned(), is_file.then(|| "g".to_owned()), content.clone()));
        }
        body.extend(b"--XX--");
        let fields: usize = contents.iter().filter(|(is_file, _)| !is_file).map(|(_, content)| 1 + content.len()).sum();
        prop_assume!(fields <= 30_000);
        expected.sort_by_key(|(_, filename, _)| filename.is_some());
        prop_assert_eq!(read(&body, &sizes).0, Ok(expected));
    }

    /// With no end in sight, no more is read than the limit and the blocks that were begun.
    #[test]
    fn a_head_without_end_is_refused_in_time(
        begin in select(vec![
            "",
            "--XX",
            "--XX\r\n",
            "--XX\r\nContent-Disposition: form-data; name=",
            "--XX\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n\r\n--XX",
            "--XX\r\nContent-Disposition: form-data; name=f\r\n\r\n1\r\n--XX\r\nX: ",
        ]),
        filler in select(vec![" ", "\t", "a", "\r\n", "\r", "a: b\r\n", "\r\n--X", "\u{e9}"]),
        sizes in sizes(),
    ) {
        let body = [begin, &filler.repeat(100_000)].concat();
        let (verdict, taken) = read(body.as_bytes(), &sizes);
        prop_assert!(verdict.is_err());
        prop_assert!(taken <= 3 * BLOCK + sizes.iter().max().unwrap_or(&0), "{taken} bytes");
    }
}

#[test]
fn a_head_that_is_no_list_of_fields() {
    for head in ["no colon", "a b: c", " folded: x", "Content-Disposition: form-data; name=a\r\nx: \0"] {
        let body = format!("--XX\r\n{head}\r\n\r\n1\r\n--XX--");
        let reason = read(body.as_bytes(), &[1000]).0.unwrap_err();
        assert!(reason.contains("no list of header fields"), "{head}: {reason}");
    }
}

/// multer's own reading of Content-Disposition takes what stands inside of quotes for a parameter.
#[test]
fn a_name_that_looks_like_a_filename_makes_no_file() {
    let body = b"--XX\r\nContent-Disposition: form-data; name=\"a; filename=b\"\r\n\r\n1\r\n--XX--";
    assert_eq!(read(body, &[1000]).0, Ok(vec![("a; filename=b".to_owned(), None, b"1".to_vec())]));
}

#[test]
fn what_is_read_although_no_one_should_send_it() {
    let head = "Content-Disposition: form-data; name=a";
    for body in [
        format!("in a line--XX\r\n{head}\r\n\r\n1\r\n--XX--"),
        format!("--XX \t\r\n{head}\nX: y\r\n\r\n1\r\n--XX--"),
        format!("--XX\r\n{head}\n\ndropped\r\n\r\n1\r\n--XX--"),
    ] {
        assert_eq!(read(body.as_bytes(), &[1000]).0, Ok(vec![("a".to_owned(), None, b"1".to_vec())]), "{body}");
    }
}
