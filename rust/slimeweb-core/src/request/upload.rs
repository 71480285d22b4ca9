//! `SlimeFile`: one uploaded file.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use pyo3::exceptions::{PyFileNotFoundError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};
use slimeweb_http::multipart::{Content, Upload, UploadDir};
use tempfile::{NamedTempFile, TempPath};

/// One uploaded file: in memory while small, else on disk (mode 0600), gone with the request unless saved.
#[pyclass(frozen, module = "slimeweb")]
pub(crate) struct SlimeFile {
    #[pyo3(get)]
    field: String,
    /// A unique name made here; nothing of the client's is in it.
    #[pyo3(get)]
    filename: String,
    /// The name the client gave. Text to show, never a path to open.
    #[pyo3(get)]
    original_filename: String,
    /// The client's extension without the dot, letters and digits only; empty where there is none.
    #[pyo3(get)]
    extension: String,
    #[pyo3(get)]
    content_type: String,
    /// Bytes.
    #[pyo3(get)]
    file_size: u64,
    stored: Mutex<Stored>,
    directory: Arc<UploadDir>,
}

enum Stored {
    Memory(Bytes),
    Disk(TempPath),
    Saved(PathBuf),
    Gone,
}

impl SlimeFile {
    pub(crate) fn new(upload: Upload, directory: Arc<UploadDir>, id: u64) -> Self {
        Self {
            field: upload.field,
            filename: format!("{}-{id:x}", directory.token()),
            extension: extension(&upload.original_filename),
            original_filename: upload.original_filename,
            content_type: upload.content_type,
            file_size: upload.size,
            stored: Mutex::new(match upload.content {
                Content::Memory(bytes) => Stored::Memory(bytes),
                Content::Disk(path) => Stored::Disk(path),
            }),
            directory,
        }
    }

    /// Removes what was not saved.
    pub(crate) fn discard(&self) {
        let mut stored = self.stored.lock();
        if !matches!(*stored, Stored::Saved(_)) {
            // Dropping a TempPath removes its file.
            *stored = Stored::Gone;
        }
    }

    fn path(&self) -> PyResult<PathBuf> {
        let mut stored = self.stored.lock();
        if let Stored::Memory(bytes) = &*stored {
            let mut file = self.directory.create()?;
            file.write_all(bytes)?;
            *stored = Stored::Disk(file.into_temp_path());
        }
        match &*stored {
            Stored::Disk(path) => Ok(path.to_path_buf()),
            Stored::Saved(path) => Ok(path.clone()),
            Stored::Memory(_) | Stored::Gone => Err(self.gone()),
        }
    }

    fn gone(&self) -> PyErr {
        PyFileNotFoundError::new_err(format!(
            "the upload in field {:?} is gone: it lives as long as its request unless save() keeps it",
            self.field
        ))
    }

    /// Keeps the file at `target`: all of it or nothing.
    fn save_at(&self, target: &Path) -> PyResult<()> {
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut stored = self.stored.lock();
        // Made with the permissions that any new file gets here, which the saved file is to have as well.
        let mut fresh = tempfile::Builder::new()
            .prefix(".slime-")
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        match &*stored {
            Stored::Memory(bytes) => {
                fresh.write_all(bytes)?;
                keep(fresh, target)?;
            }
            Stored::Disk(path) => {
                let mode = fresh.as_file().metadata()?.permissions();
                let moved = fs::set_permissions(path, mode).and_then(|()| fs::rename(path, target));
                match moved {
                    Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy(path, fresh, target)?,
                    outcome => outcome?,
                }
            }
            Stored::Saved(path) => return Ok(copy(path, fresh, target)?),
            Stored::Gone => return Err(self.gone()),
        }
        // A temporary file that was moved is not found under its old name, one that was copied is removed.
        *stored = Stored::Saved(target.to_path_buf());
        Ok(())
    }

    fn read_all(&self) -> PyResult<Bytes> {
        match &*self.stored.lock() {
            Stored::Memory(bytes) => Ok(bytes.clone()),
            Stored::Disk(path) => Ok(fs::read(path)?.into()),
            Stored::Saved(path) => Ok(fs::read(path)?.into()),
            Stored::Gone => Err(self.gone()),
        }
    }
}

fn copy(source: &Path, mut fresh: NamedTempFile, target: &Path) -> io::Result<()> {
    io::copy(&mut fs::File::open(source)?, fresh.as_file_mut())?;
    keep(fresh, target)
}

fn keep(fresh: NamedTempFile, target: &Path) -> io::Result<()> {
    fresh.into_temp_path().persist(target).map_err(|error| error.error)
}

/// A path of the application's own choice, which may lead anywhere.
fn anywhere(path: &Path) -> PyResult<PathBuf> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if path.file_name().is_none() || bytes.contains(&0) || bytes.ends_with(b"/") {
        return Err(PyValueError::new_err(format!(
            "save({:?}) names no file: give a path such as \"photos/photo.png\"",
            path.display().to_string()
        )));
    }
    Ok(path.to_path_buf())
}

/// `directory/name` when that stays inside the directory, symbolic links followed.
fn inside(directory: &Path, name: &Path) -> PyResult<PathBuf> {
    let refuse = || {
        PyValueError::new_err(format!(
            "save({:?}, directory) would leave the directory: give a plain name such as \"photo.png\", or a whole path as \
             save(path)",
            name.display().to_string()
        ))
    };
    let bytes = name.as_os_str().as_encoded_bytes();
    let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
    if bytes.is_empty() || bytes.contains(&0) || bytes.ends_with(b"/") || !plain {
        return Err(refuse());
    }
    let directory = directory.canonicalize()?;
    let target = directory.join(name);
    let parent = target.parent().unwrap_or(&directory).canonicalize()?;
    if !parent.starts_with(&directory) {
        return Err(refuse());
    }
    Ok(target)
}

/// What stands behind the last dot, where that looks like an extension.
fn extension(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    match base.rsplit_once('.') {
        Some((stem, tail))
            if !stem.is_empty() && tail.len() <= 16 && tail.chars().all(|c| c.is_ascii_alphanumeric()) =>
        {
            tail.to_ascii_lowercase()
        }
        _ => String::new(),
    }
}

#[pymethods]
impl SlimeFile {
    /// Where the file is: a path on disk, written there now if it was in memory so far.
    #[getter]
    fn file_path(&self, py: Python<'_>) -> PyResult<PathBufText> {
        py.detach(|| self.path()).map(PathBufText)
    }

    /// The whole content.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.read_all())?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Keeps the file at the path `new_filename`, relative to the working directory or absolute: all of it or nothing, in the
    /// place of a file that is there. With a `directory` it is kept there, and `new_filename` must not lead out of it.
    ///
    /// `ValueError` for a name that is none, or would leave the directory; `OSError` where the file cannot be written.
    #[pyo3(signature = (new_filename, directory=None))]
    #[allow(clippy::needless_pass_by_value, reason = "what Python gives")]
    fn save(&self, py: Python<'_>, new_filename: PathBuf, directory: Option<PathBuf>) -> PyResult<()> {
        py.detach(|| match directory {
            Some(directory) => self.save_at(&inside(&directory, &new_filename)?),
            None => self.save_at(&anywhere(&new_filename)?),
        })
    }

    /// Removes the temporary file now instead of with the request. A saved file stays.
    fn clean(&self, py: Python<'_>) {
        py.detach(|| self.discard());
    }

    /// How pydantic checks a field of this type: the value is a file.
    #[classmethod]
    fn __get_pydantic_core_schema__<'py>(
        cls: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        cls.py().import("pydantic_core.core_schema")?.call_method1("is_instance_schema", (cls,))
    }

    /// What `OpenAPI` says of such a field.
    #[classmethod]
    fn __get_pydantic_json_schema__<'py>(
        cls: &Bound<'py, PyType>,
        _schema: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let schema = PyDict::new(cls.py());
        schema.set_item("type", "string")?;
        schema.set_item("format", "binary")?;
        Ok(schema)
    }

    fn __repr__(&self) -> String {
        format!("<SlimeFile {:?} in field {:?}, {} bytes>", self.original_filename, self.field, self.file_size)
    }
}

/// A path that Python sees as `str`, as the README has it.
pub(crate) struct PathBufText(PathBuf);

impl<'py> IntoPyObject<'py> for PathBufText {
    type Target = pyo3::types::PyString;
    type Output = Bound<'py, Self::Target>;
    type Error = std::convert::Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        self.0.into_os_string().into_pyobject(py)
    }
}
