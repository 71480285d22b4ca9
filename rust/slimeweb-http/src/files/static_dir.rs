//! A directory of files below a URL prefix.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, VARY};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use percent_encoding::{CONTROLS, percent_decode_str, utf8_percent_encode};

use super::cached::{Directory, Miss};
use super::negotiation::{ENCODINGS, Encoding, wanted};
use super::open::{Opened, off_thread};
use super::response::{method_not_allowed, options, respond};
use crate::body::Body;
use crate::error::is_exhausted;

const INDEX: &str = "index.html";

/// Serves the files of a directory below a prefix: nothing hidden, nothing outside, symbolic links to the outside neither.
///
/// A directory answers with its `index.html`. Where `name.br`, `name.zst` or `name.gz` lies beside `name`, a client that
/// takes that encoding gets it.
#[derive(Debug, Clone)]
pub struct StaticDir {
    root: PathBuf,
    prefix: String,
}

/// What a path leads to.
enum Target {
    File {
        opened: Opened,
        name: PathBuf,
        encoding: Option<Encoding>,
        varies: bool,
    },
    /// A directory named without its slash: links in its index would lead elsewhere.
    Slash,
}

impl StaticDir {
    /// The files of `root` below `prefix`, such as `/static`; a slash at its end makes no difference.
    pub fn new(root: impl Into<PathBuf>, prefix: &str) -> Self {
        let bare = prefix.trim_matches('/');
        let prefix = if bare.is_empty() { String::new() } else { format!("/{bare}") };
        Self { root: root.into(), prefix }
    }

    /// The prefix, without a slash at its end.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Answers for the path of `uri`; none where there is nothing for it. OPTIONS lists the methods; 405 for others than
    /// these.
    ///
    /// # Errors
    /// [`is_exhausted`] is true of it: whether there is something cannot be known for now.
    pub async fn serve(&self, method: &Method, headers: &HeaderMap, uri: &Uri) -> io::Result<Option<Response<Body>>> {
        let path = uri.path();
        let Some(relative) = self.relative(path) else { return Ok(None) };
        let slash = path.ends_with('/');
        let target = match find_at_once(&self.root, &relative, headers, slash) {
            Ok(target) => target,
            Err(Miss::Absent) => return Ok(None),
            Err(Miss::Unknown) => {
                let (root, accepts) = (self.root.clone(), headers.clone());
                match off_thread(move || find(&root, &relative, &accepts, slash)).await {
                    Ok(target) => target,
                    Err(error) => return absent_unless_exhausted(error),
                }
            }
        };
        if *method == Method::OPTIONS {
            return Ok(Some(options()));
        }
        if *method != Method::GET && *method != Method::HEAD {
            return Ok(Some(method_not_allowed()));
        }
        match target {
            Target::Slash => Ok(redirect(uri)),
            Target::File { opened, name, encoding, varies } => {
                let mut extra = HeaderMap::new();
                if varies {
                    extra.insert(VARY, HeaderValue::from_static("accept-encoding"));
                }
                if let Some(encoding) = encoding {
                    extra.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name));
                }
                respond(method, headers, opened, &name, extra).await.map(Some).or_else(absent_unless_exhausted)
            }
        }
    }

    /// What a request path names below the prefix, if anything.
    fn relative(&self, path: &str) -> Option<PathBuf> {
        let tail = path.strip_prefix(&self.prefix)?;
        relative(tail.strip_prefix('/').or(tail.is_empty().then_some(""))?)
    }
}

/// Whatever cannot be read is not there, but for what may be read later.
fn absent_unless_exhausted(error: io::Error) -> io::Result<Option<Response<Body>>> {
    if is_exhausted(&error) { Err(error) } else { Ok(None) }
}

/// To the same with a slash at the end of the path. The query stays.
fn redirect(uri: &Uri) -> Option<Response<Body>> {
    let mut location = format!("{}/", uri.path());
    if let Some(query) = uri.query() {
        location.push('?');
        location.push_str(query);
    }
    let location = utf8_percent_encode(&location, CONTROLS).to_string();
    let mut response = Response::new(Body::full("Permanent Redirect\n"));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(&location).ok()?);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Some(response)
}

/// The file system's path for the rest of a URL's, if it is one that could ever be served.
fn relative(tail: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    let mut segments = tail.split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_none() {
            break;
        }
        let segment = percent_decode_str(segment).decode_utf8().ok()?;
        let hidden = segment.starts_with('.') || segment.is_empty();
        // A colon names a drive or a stream on Windows.
        let odd = segment.chars().any(|c| matches!(c, '/' | '\\') || c.is_control() || (cfg!(windows) && c == ':'));
        let plain = || matches!(Path::new(&*segment).components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
        if hidden || odd || !plain() {
            return None;
        }
        path.push(&*segment);
    }
    Some(path)
}

/// Does what [`find`] does, as far as that takes no waiting.
fn find_at_once(root: &Path, relative: &Path, request: &HeaderMap, slash: bool) -> Result<Target, Miss> {
    let root = Directory::open(root)?;
    let mut name = relative.to_owned();
    let mut file = root.open_inside(&name)?;
    if file.metadata().map_err(|_| Miss::Unknown)?.is_dir() {
        name.push(INDEX);
        file = root.open_inside(&name)?;
        if !slash {
            return if is_plain(&file) { Ok(Target::Slash) } else { Err(Miss::Unknown) };
        }
    } else if slash {
        return Err(Miss::Absent);
    }
    let mut siblings = Vec::new();
    for encoding in ENCODINGS {
        match root.open_inside(&beside(&name, encoding)) {
            Ok(sibling) if is_plain(&sibling) => siblings.push((encoding, sibling)),
            Ok(_) | Err(Miss::Absent) => {}
            Err(Miss::Unknown) => return Err(Miss::Unknown),
        }
    }
    let available: Vec<Encoding> = siblings.iter().map(|(encoding, _)| *encoding).collect();
    let encoding = wanted(request, &available);
    if let Some((_, sibling)) = siblings.into_iter().find(|(each, _)| Some(*each) == encoding) {
        file = sibling;
    }
    Ok(Target::File { opened: Opened::at_once(file)?, name, encoding, varies: !available.is_empty() })
}

fn is_plain(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

fn find(root: &Path, relative: &Path, request: &HeaderMap, slash: bool) -> io::Result<Target> {
    let root = root.canonicalize()?;
    let mut name = root.join(relative);
    if std::fs::metadata(&name)?.is_dir() {
        name.push(INDEX);
        if !slash {
            inside(&root, &name)?;
            return Ok(Target::Slash);
        }
    } else if slash {
        return Err(io::ErrorKind::NotFound.into());
    }
    let plain = inside(&root, &name)?;
    let available: Vec<Encoding> = ENCODINGS
        .into_iter()
        .filter(|encoding| {
            let sibling = beside(&name, *encoding);
            // Most are not there, which is found out faster than where they lie.
            std::fs::symlink_metadata(&sibling).is_ok() && inside(&root, &sibling).is_ok()
        })
        .collect();
    let encoding = wanted(request, &available);
    let file = match encoding {
        Some(encoding) => inside(&root, &beside(&name, encoding))?,
        None => plain,
    };
    Ok(Target::File { opened: Opened::open(&file)?, name, encoding, varies: !available.is_empty() })
}

/// The real path of a plain file that lies in `root` after all links.
fn inside(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    if real.starts_with(root) && real.is_file() { Ok(real) } else { Err(io::ErrorKind::NotFound.into()) }
}

fn beside(name: &Path, encoding: Encoding) -> PathBuf {
    let mut sibling = name.as_os_str().to_owned();
    sibling.push(encoding.extension);
    sibling.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (tail, expected) in [("", ""), ("a/b.css", "a/b.css"), ("a/", "a"), ("%C3%A9%20", "é "), ("a..b", "a..b")]
        {
            assert_eq!(relative(tail), Some(PathBuf::from(expected)), "{tail}");
        }
        for tail in [
            "..",
            "a/../b",
            "%2e%2e/x",
            "a%2fb",
            "a%5cb",
            "a\\b",
            "%00",
            ".git/config",
            "a/.env",
            "a//b",
            "/etc/passwd",
            "./a",
            "%ff",
            "a%0a",
        ] {
            assert_eq!(relative(tail), None, "{tail}");
        }
    }
}
