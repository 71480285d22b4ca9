//! `serve()` arguments, read off `slimeweb._settings.Settings` once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use slimeweb_http::multipart::{FormLimits, UploadDir};
use slimeweb_http::{Bind, Limits};

/// Field by field what `slimeweb._settings.Settings` documents: sizes in bytes, times in seconds.
#[derive(FromPyObject)]
pub(crate) struct Settings {
    host: String,
    port: u16,
    unix_socket: Option<PathBuf>,
    unix_socket_mode: Option<u32>,
    pub(crate) workers: usize,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) root_path: String,
    head_size: usize,
    header_count: usize,
    head_timeout: f64,
    idle_timeout: f64,
    body_timeout: f64,
    body_rate: u64,
    send_timeout: f64,
    max_connections: usize,
    pub(crate) pool_threads: usize,
    pool_idle_timeout: f64,
    pub(crate) worker_queue_size: usize,
    pub(crate) form_fields: usize,
    form_parts: usize,
    form_field_size: usize,
    upload_memory: usize,
    pub(crate) upload_dir: Option<PathBuf>,
    shutdown_grace: f64,
}

impl Settings {
    pub(crate) fn bind(&self) -> Bind {
        match &self.unix_socket {
            Some(path) => Bind::Unix { path: path.clone(), mode: self.unix_socket_mode },
            None => Bind::Tcp { host: self.host.clone(), port: self.port },
        }
    }

    pub(crate) fn form_limits(&self, uploads: &Arc<UploadDir>) -> FormLimits {
        FormLimits {
            memory: self.upload_memory,
            fields: self.form_field_size,
            parts: self.form_parts,
            directory: Arc::clone(uploads),
        }
    }

    pub(crate) fn pool_idle_timeout(&self) -> PyResult<Duration> {
        seconds("pool_idle_timeout", self.pool_idle_timeout)
    }

    pub(crate) fn limits(&self) -> PyResult<Limits> {
        Ok(Limits {
            head_size: self.head_size,
            header_count: self.header_count,
            head_timeout: seconds("head_timeout", self.head_timeout)?,
            idle_timeout: seconds("idle_timeout", self.idle_timeout)?,
            body_timeout: seconds("body_timeout", self.body_timeout)?,
            body_rate: self.body_rate,
            send_timeout: seconds("send_timeout", self.send_timeout)?,
            connections: self.max_connections,
            shutdown_grace: seconds("shutdown_grace", self.shutdown_grace)?,
        })
    }
}

fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| PyValueError::new_err(format!("{name} must be a number of seconds, zero or more, not {value}")))
}
