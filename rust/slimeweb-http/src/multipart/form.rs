//! Reading a form: fields into memory, files into memory or onto the disk.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use encoding_rs::{Encoding, UTF_8};
use http::HeaderValue;
use tempfile::{NamedTempFile, TempPath};

use super::blocks::Source;
use super::boundary::boundary;
use super::error::FormError;
use super::parts::{Part, Parts};
use super::upload_dir::UploadDir;
use crate::body::RequestBody;
use crate::header::charset;
use crate::header::content_disposition::base_name;

/// Bytes gathered before they are written to the disk.
const WRITE: usize = 256 * 1024;

/// What a form may use up, besides the size of its body. There are no defaults here: who reads a form says every one.
#[derive(Debug, Clone)]
pub struct FormLimits {
    /// A file's bytes from which on it goes to the disk.
    pub memory: usize,
    /// The names and values of all plain fields, in bytes.
    pub fields: usize,
    /// Fields and files together.
    pub parts: usize,
    /// Where files go.
    pub directory: Arc<UploadDir>,
}

/// A form, in the order in which it was sent.
#[derive(Debug, Default)]
pub struct Form {
    /// Names and values of the parts without a filename: in the charset of the part's Content-Type, else in the one that a field
    /// named `_charset_` holds (RFC 7578, section 4.6), else UTF-8. What is not in it reads as U+FFFD.
    pub fields: Vec<(String, String)>,
    /// The parts with one.
    pub files: Vec<Upload>,
}

/// An uploaded file.
#[derive(Debug)]
pub struct Upload {
    /// The name of the form's field.
    pub field: String,
    /// What the client calls the file, without the directories that it may have put before. Empty where nothing else was left.
    pub original_filename: String,
    /// What the client says it is; `application/octet-stream` where it says nothing.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// The bytes themselves.
    pub content: Content,
}

/// Where an upload's bytes are.
#[derive(Debug)]
pub enum Content {
    /// Here.
    Memory(Bytes),
    /// In a file that is removed when this is dropped.
    Disk(TempPath),
}

/// Reads a form whose body has at most `body_size` bytes. A file input that was left empty, which browsers send as a nameless file without bytes, is left out.
///
/// # Errors
/// [`FormError`]; nothing stays on the disk then.
pub async fn read(
    mut body: RequestBody,
    content_type: &HeaderValue,
    body_size: u64,
    limits: &FormLimits,
) -> Result<Form, FormError> {
    let boundary = boundary(&String::from_utf8_lossy(content_type.as_bytes()))?;
    body.set_limit(body_size);
    gather(body, &boundary, limits).await
}

pub(super) async fn gather(body: impl Source, boundary: &str, limits: &FormLimits) -> Result<Form, FormError> {
    let mut parts = Parts::new(body, boundary);
    let mut form = Form::default();
    let mut raw = Vec::new();
    let (mut count, mut fields_left) = (0, limits.fields);
    while let Some(part) = parts.next().await? {
        count += 1;
        if count > limits.parts {
            return Err(FormError::TooManyParts { limit: limits.parts });
        }
        if part.head.filename.is_some() {
            form.files.extend(file(&mut parts, part, limits).await?);
        } else {
            let field = field(&mut parts, part, &mut fields_left).await?;
            raw.push(field.ok_or(FormError::FieldsTooLarge { limit: limits.fields })?);
        }
    }
    let default = raw.iter().find(|field| field.name == "_charset_");
    let default = default.and_then(|field| Encoding::for_label(&field.value)).unwrap_or(UTF_8);
    form.fields = raw.into_iter().map(|field| field.decode(default)).collect();
    Ok(form)
}

/// A part without a filename, before its charset is known.
struct RawField {
    name: String,
    value: Vec<u8>,
    encoding: Option<&'static Encoding>,
}

impl RawField {
    fn decode(self, default: &'static Encoding) -> (String, String) {
        let encoding = self.encoding.unwrap_or(default);
        let value = if encoding == UTF_8 {
            String::from_utf8(self.value).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        } else {
            encoding.decode_without_bom_handling(&self.value).0.into_owned()
        };
        (self.name, value)
    }
}

/// A field; none when they are larger than what is `left`.
async fn field<S: Source>(
    parts: &mut Parts<S>,
    mut part: Part,
    left: &mut usize,
) -> Result<Option<RawField>, FormError> {
    let mut take = |bytes: usize| left.checked_sub(bytes).map(|rest| *left = rest);
    if take(part.head.name.len()).is_none() {
        return Ok(None);
    }
    let mut value = Vec::new();
    while let Some(piece) = parts.piece(&mut part.data).await? {
        if take(piece.len()).is_none() {
            return Ok(None);
        }
        value.extend_from_slice(&piece);
    }
    let encoding = part.head.content_type.as_deref().and_then(charset::encoding);
    Ok(Some(RawField { name: part.head.name, value, encoding }))
}

async fn file<S: Source>(
    parts: &mut Parts<S>,
    mut part: Part,
    limits: &FormLimits,
) -> Result<Option<Upload>, FormError> {
    let mut size = 0u64;
    let mut buffer = BytesMut::new();
    let mut stored = None;
    while let Some(piece) = parts.piece(&mut part.data).await? {
        size += piece.len() as u64;
        buffer.extend_from_slice(&piece);
        let full = if stored.is_some() { buffer.len() >= WRITE } else { buffer.len() > limits.memory };
        if full {
            stored = Some(store(stored, buffer.split().freeze(), limits).await?);
        }
    }
    let content = match stored {
        None => Content::Memory(buffer.freeze()),
        Some(stored) => Content::Disk(store(Some(stored), buffer.freeze(), limits).await?.into_temp_path()),
    };
    let head = part.head;
    let original_filename = head.filename.unwrap_or_default();
    if size == 0 && original_filename.is_empty() {
        return Ok(None);
    }
    let original_filename = base_name(&original_filename).to_owned();
    let content_type = head.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    Ok(Some(Upload { field: head.name, original_filename, content_type, size, content }))
}

/// Writes off the I/O thread. On an error the file is gone.
async fn store(file: Option<NamedTempFile>, bytes: Bytes, limits: &FormLimits) -> Result<NamedTempFile, FormError> {
    let directory = Arc::clone(&limits.directory);
    let written = tokio::task::spawn_blocking(move || {
        let mut file = match file {
            Some(file) => file,
            None => directory.create()?,
        };
        file.write_all(&bytes)?;
        Ok(file)
    });
    written.await.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(FormError::storage)
}
