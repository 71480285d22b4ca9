//! Multipart forms over a real connection.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use common::{PATIENCE, form_limits, limits, serve_with};
use http::Response;
use slimeweb_http::multipart::{self, Content, FormLimits, UploadDir};
use slimeweb_http::{Body, Exchange, Limits};

struct Seen {
    lines: Vec<String>,
    stored: Vec<PathBuf>,
}

/// Bytes that a form may have where the test does not say.
const BODY_SIZE: u64 = 10 * 1024 * 1024;

/// Posts `body` cut into chunks of `chunk` bytes, and gives the status with what the service saw.
fn post(form_limits: &FormLimits, body: &[u8], chunk: usize) -> (u16, String, Option<Seen>) {
    post_to(BODY_SIZE, form_limits, body, chunk)
}

fn post_to(body_size: u64, form_limits: &FormLimits, body: &[u8], chunk: usize) -> (u16, String, Option<Seen>) {
    let (told, hear) = mpsc::channel();
    let form_limits = form_limits.clone();
    let site = serve_with(Limits { body_timeout: PATIENCE, ..limits() }, move |exchange: Exchange| {
        let (told, form_limits) = (told.clone(), form_limits.clone());
        async move {
            let kind = exchange.head.headers["content-type"].clone();
            match multipart::read(exchange.body, &kind, body_size, &form_limits).await {
                Ok(form) => {
                    let mut lines: Vec<_> = form.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    let mut stored = Vec::new();
                    for file in &form.files {
                        let (place, bytes) = match &file.content {
                            Content::Memory(bytes) => ("memory", bytes.to_vec()),
                            Content::Disk(path) => {
                                stored.push(path.to_path_buf());
                                ("disk", std::fs::read(path).unwrap())
                            }
                        };
                        assert_eq!(bytes.len() as u64, file.size);
                        let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
                        lines.push(format!(
                            "{} {} {} {place} {} {sum}",
                            file.field, file.original_filename, file.content_type, file.size
                        ));
                    }
                    told.send(Seen { lines, stored }).unwrap();
                    Response::new(Body::empty())
                }
                Err(error) => {
                    let mut response = Response::new(Body::full(error.to_string()));
                    *response.status_mut() = error.status();
                    response
                }
            }
        }
    });
    let mut client = site.connect();
    let mut request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=XX\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(chunk) {
        request.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        request.extend(piece);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    let answer = client.ask(request);
    (answer.status, answer.text().to_owned(), hear.try_recv().ok())
}

fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, content) in parts {
        body.extend(b"--XX\r\nContent-Disposition: form-data; ");
        body.extend(head.as_bytes());
        body.extend(b"\r\n\r\n");
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    body
}

fn in_directory() -> (tempfile::TempDir, FormLimits) {
    let base = tempfile::tempdir().unwrap();
    let directory = Arc::new(UploadDir::new(Some(base.path().to_owned())));
    (base, FormLimits { directory, ..form_limits() })
}

fn files_below(path: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}

#[test]
fn fields_and_files_however_they_are_cut() {
    let (base, limits) = in_directory();
    let big = vec![7; 200_000];
    let body = form(&[
        ("name=\"a\"", b"1"),
        ("name=\"a\"", "é\r\n--X\r\n--".as_bytes()),
        ("name=\"empty\"", b""),
        ("name=\"f\"; filename=\"small.txt\"\r\nContent-Type: text/plain", b"\r\n--XY"),
        ("name=\"f\"; filename=\"big.bin\"", &big),
        ("name=\"none\"; filename=\"\"", b""),
    ]);
    let sum: u64 = b"\r\n--XY".iter().map(|byte| u64::from(*byte)).sum();
    let expected = [
        "a=1".to_owned(),
        "a=é\r\n--X\r\n--".to_owned(),
        "empty=".to_owned(),
        format!("f small.txt text/plain memory 6 {sum}"),
        "f big.bin application/octet-stream disk 200000 1400000".to_owned(),
    ];
    for chunk in [7, 1000, 16_384, 1 << 20] {
        let (status, text, seen) = post(&limits, &body, chunk);
        assert_eq!(status, 200, "{text}");
        let seen = seen.unwrap();
        assert_eq!(seen.lines, expected, "chunks of {chunk}");
        assert!(!seen.stored[0].exists(), "an upload outlived its form");
    }
    assert_eq!(files_below(base.path()), 0);
}

#[test]
fn a_preamble_and_an_epilogue_are_nobodys() {
    let body = [&b"hello\r\n"[..], &form(&[("name=a", b"1")]), b"and goodbye"].concat();
    let (status, _, seen) = post(&form_limits(), &body, 5);
    assert_eq!((status, seen.unwrap().lines), (200, vec!["a=1".to_owned()]));
}

#[test]
fn malformed_forms_are_a_400() {
    let (base, limits) = in_directory();
    let big = vec![1; 100_000];
    let whole = form(&[("name=f; filename=x", &big)]);
    for body in [
        &b""[..],
        b"--XX",
        b"--XX\r\n",
        b"--XX--",
        b"--XXX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--",
        b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1",
        b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX",
        b"--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XX--",
        b"--XX\r\n\r\n1\r\n--XX--",
        b"--XX\r\nContent-Type: x\r\n\r\n1\r\n--XX--",
        b"XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--",
        b"--YY\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--XX\r\nContent-Disposition: form-data; name=b\r\n\r\n2\r\n--XX--",
        b"hello\r\n--XX--",
        &whole[..90_000],
    ] {
        let (status, text, seen) = post(&limits, body, 999);
        let is_empty_form = body == b"--XX--";
        assert_eq!(
            status,
            if is_empty_form { 200 } else { 400 },
            "{:?}: {text}",
            String::from_utf8_lossy(&body[..body.len().min(60)])
        );
        assert_eq!(seen.is_some(), is_empty_form);
    }
    assert_eq!(files_below(base.path()), 0);
}

#[test]
fn a_field_is_in_its_own_charset_else_in_the_forms_else_utf_8() {
    let type_of = |charset: &str| format!("name=a\r\nContent-Type: text/plain; charset={charset}");
    let (latin, unknown) = (type_of("iso-8859-1"), type_of("x-none"));
    for (parts, expected) in [
        (vec![("name=a", &b"\xe9"[..])], vec!["a=\u{fffd}"]),
        (vec![(latin.as_str(), &b"\xe9"[..]), ("name=b", "é".as_bytes())], vec!["a=é", "b=é"]),
        (vec![(unknown.as_str(), "é".as_bytes())], vec!["a=é"]),
        (
            vec![("name=a", &b"\x93"[..]), ("name=_charset_", b"windows-1252"), ("name=b", b"\xe9")],
            vec!["a=\u{201c}", "_charset_=windows-1252", "b=é"],
        ),
    ] {
        let (status, text, seen) = post(&form_limits(), &form(&parts), 3);
        assert_eq!(status, 200, "{text}");
        assert_eq!(seen.unwrap().lines, expected);
    }
}

#[test]
fn a_filename_arrives_decoded_and_without_directories() {
    let body = form(&[("name=\"a%22\"; filename=\"C:\\dir/../a%22b.txt\"", b"1")]);
    let (status, _, seen) = post(&form_limits(), &body, 100);
    assert_eq!(
        (status, seen.unwrap().lines),
        (200, vec!["a\" a\"b.txt application/octet-stream memory 1 49".to_owned()])
    );
}

#[test]
fn limits_hold() {
    let one = form(&[("name=a", b"12345")]);
    let many: Vec<(&str, &[u8])> = vec![("name=a", b"1"); 11];
    let long_head = form(&[(&format!("name=a; x={}", "y".repeat(20_000)), b"")]);
    for (body_size, limits, body, word) in [
        (50, form_limits(), one.clone(), "50 bytes"),
        (BODY_SIZE, FormLimits { fields: 5, ..form_limits() }, one, "5 bytes that form_field_size"),
        (BODY_SIZE, FormLimits { parts: 10, ..form_limits() }, form(&many), "10 parts that form_parts"),
        (BODY_SIZE, form_limits(), long_head, "too long"),
    ] {
        let (status, text, _) = post_to(body_size, &limits, &body, 4096);
        assert_eq!(status, 400, "{text}");
        assert!(text.contains(word), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_written_is_a_500_that_tells_nothing() {
    let limits = FormLimits { directory: Arc::new(UploadDir::new(Some("/proc/no".into()))), ..form_limits() };
    let (status, text, _) = post(&limits, &form(&[("name=f; filename=x", &vec![1; 100_000])]), 4096);
    assert_eq!((status, text.as_str()), (500, "the upload could not be stored"));
}

/// Runs the test of this name once more where `/tmp` can be covered by a small disk that nobody else sees, and that goes
/// with its process. None there, and where it cannot be had.
#[cfg(target_os = "linux")]
fn with_a_small_disk(test: &str) -> Option<std::process::Output> {
    use std::process::Command;

    // A namespace of its own is for root, and for others where the system lets them be root of a namespace.
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    let namespaces = if is_root { &["--mount"][..] } else { &["--mount", "--user", "--map-root-user"] };
    let mount = "mount -t tmpfs -o size=256k tmpfs /tmp";
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(namespaces).args(["sh", "-c", script, "sh"]);
        command
    };
    if !is_root && !unshare(mount).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: neither root nor allowed to mount in a user namespace of its own");
        return None;
    }
    let mut command = unshare(&format!("{mount} && exec \"$@\""));
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(SMALL_DISK, "1");
    Some(command.output().unwrap())
}

#[cfg(target_os = "linux")]
const SMALL_DISK: &str = "SLIMEWEB_TEST_ON_A_SMALL_DISK";

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_507_and_no_part_of_the_file_stays() {
    if std::env::var_os(SMALL_DISK).is_none() {
        let Some(output) = with_a_small_disk("a_full_disk_is_a_507_and_no_part_of_the_file_stays") else { return };
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
        assert!(memchr::memmem::find(&said, b"1 passed").is_some(), "{}", String::from_utf8_lossy(&said));
        return;
    }
    let directory = Arc::new(UploadDir::new(Some("/tmp/uploads".into())));
    let limits = FormLimits { directory, ..form_limits() };
    let small = vec![1; 100_000];
    let (status, text, seen) = post(&limits, &form(&[("name=f; filename=x", &small)]), 4096);
    assert_eq!((status, seen.map(|seen| seen.lines.len())), (200, Some(1)), "{text}");
    // The first file fits, the second does not.
    let large = vec![1; 1_000_000];
    let body = form(&[("name=f; filename=x", &small), ("name=f; filename=y", &large)]);
    let (status, text, seen) = post(&limits, &body, 4096);
    assert_eq!((status, text.as_str()), (507, "there is no room to store the upload"));
    assert!(seen.is_none());
    assert_eq!(files_below(std::path::Path::new("/tmp/uploads")), 0);
    // And the room is there again.
    let (status, text, _) = post(&limits, &form(&[("name=f; filename=x", &small)]), 4096);
    assert_eq!(status, 200, "{text}");
}
