//! `Server`: what `app.serve()` starts and stops.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use http::Method;
use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyMapping;
use slimeweb_http::files::StaticDir;
use slimeweb_http::multipart::UploadDir;
use slimeweb_http::router::{Methods, Pattern, Router};
use slimeweb_http::{Address, Config, Listener, ServerHandle, TlsConfig};

use crate::app::{CompiledApp, Counters, frozen};
use crate::proxies::TrustedProxies;
use crate::request::context::{App, Worker, Workers};
use crate::route::{CompiledRoute, StaticMount};
use crate::sent::SentQueue;
use crate::service::PythonService;
use crate::settings::Settings;
use crate::worker::backup;
use crate::worker::pool::Pool;
use crate::worker_handle::WorkerHandle;

/// Listens from construction on; serves from `start` until `shutdown`.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct Server {
    app: Py<PyAny>,
    settings: Settings,
    config: Config,
    proxies: TrustedProxies,
    addresses: Vec<Address>,
    workers: Arc<Workers>,
    counters: Arc<Counters>,
    /// Set when it starts.
    routes: OnceLock<Vec<RouteUsage>>,
    lifecycle: Mutex<Lifecycle>,
}

/// A route of one worker, and how many references to it there are while no request uses it. Each request in flight
/// holds one more, so that counting them costs requests nothing.
struct RouteUsage {
    route: Weak<CompiledRoute>,
    at_rest: usize,
}

impl RouteUsage {
    fn all(apps: &[Arc<App>]) -> Vec<Self> {
        let routes = apps.iter().flat_map(|app| app.router.values().chain(&app.fallback));
        let mut usages = Vec::<Self>::new();
        for route in routes {
            let route = Arc::downgrade(route);
            if !usages.iter().any(|other| other.route.ptr_eq(&route)) {
                usages.push(Self { at_rest: route.strong_count(), route });
            }
        }
        usages
    }

    /// Its name, and by how much it is used now, where it is.
    fn used(&self) -> Option<(String, usize)> {
        let count = self.route.strong_count().checked_sub(self.at_rest).filter(|count| *count > 0)?;
        let route = self.route.upgrade()?;
        (!route.pattern.is_empty()).then(|| (format!("{} {}", route.methods.join(","), route.pattern), count))
    }
}

enum Lifecycle {
    Bound(Vec<Listener>),
    Serving(ServerHandle, Option<Arc<SentQueue>>),
    Ended,
}

impl Server {
    fn router(py: Python<'_>, routes: &[CompiledRoute]) -> PyResult<Router<Arc<CompiledRoute>>> {
        let mut builder = Router::builder();
        for route in routes {
            let pattern = Pattern::parse(&route.pattern).map_err(|error| PyValueError::new_err(error.to_string()))?;
            let methods = if route.methods.iter().any(|method| method == "*") {
                Methods::Any
            } else {
                let methods = route.methods.iter().map(|method| {
                    Method::from_bytes(method.as_bytes())
                        .map_err(|_| PyValueError::new_err(format!("{method:?} is not an HTTP method")))
                });
                Methods::These(methods.collect::<PyResult<_>>()?)
            };
            builder
                .add(&methods, &pattern, Arc::new(route.clone_ref(py)))
                .map_err(|error| PyValueError::new_err(error.to_string()))?;
        }
        Ok(builder.build())
    }

    fn handle(&self) -> Option<ServerHandle> {
        match &*self.lifecycle.lock() {
            Lifecycle::Serving(handle, _) => Some(handle.clone()),
            Lifecycle::Bound(_) | Lifecycle::Ended => None,
        }
    }
}

fn server_error(error: slimeweb_http::Error) -> PyErr {
    match error.into_io() {
        Ok(error) => PyOSError::new_err((error.raw_os_error(), error.to_string())),
        Err(error) => PyValueError::new_err(error.to_string()),
    }
}

#[pymethods]
impl Server {
    /// Reads what the settings name, and binds what they say. `OSError` when that cannot be had, `ValueError` when it
    /// will not do.
    #[new]
    fn new(app: Py<PyAny>, settings: Settings) -> PyResult<Self> {
        let tls = match (&settings.tls_cert, &settings.tls_key) {
            (Some(cert), Some(key)) => Some(TlsConfig::from_pem_files(cert, key).map_err(server_error)?),
            _ => None,
        };
        let config = Config { limits: settings.limits()?, tls };
        let proxies = TrustedProxies::parse(&settings.trusted_proxies)?;
        let listener = Listener::bind(&settings.bind()).map_err(server_error)?;
        let count = settings.workers.max(1);
        let list = (0..count).map(|_| Worker::new()).collect::<std::io::Result<Vec<_>>>()?;
        // Twice the workers keeps the cores busy; the pool grows by itself when its threads block.
        let pool =
            Pool::new(count * 2, settings.pool_threads, settings.worker_queue_size, settings.pool_idle_timeout()?);
        Ok(Self {
            app,
            addresses: vec![listener.address().clone()],
            workers: Arc::new(Workers::new(pool, list)),
            counters: Arc::default(),
            routes: OnceLock::new(),
            lifecycle: Mutex::new(Lifecycle::Bound(vec![listener])),
            settings,
            config,
            proxies,
        })
    }

    /// Where it listens: `127.0.0.1:3000` or `unix:/path`.
    #[getter]
    fn addresses(&self) -> Vec<String> {
        self.addresses.iter().map(Address::to_string).collect()
    }

    /// The TCP port it listens on, 0 for a Unix socket.
    #[getter]
    fn port(&self) -> u16 {
        self.addresses
            .iter()
            .find_map(|address| if let Address::Tcp(address) = address { Some(address.port()) } else { None })
            .unwrap_or(0)
    }

    /// A handle to each worker, for its event loop.
    fn workers(&self) -> Vec<WorkerHandle> {
        (0..self.workers.list.len()).map(|number| WorkerHandle::new(&self.workers, number)).collect()
    }

    /// Starts to serve. `ValueError` for routes that conflict, `OSError` for what the system refuses.
    #[allow(clippy::too_many_arguments, reason = "what an application compiles to, once")]
    fn start(
        &self,
        py: Python<'_>,
        routes: Vec<CompiledRoute>,
        mounts: Vec<StaticMount>,
        fallback: Option<CompiledRoute>,
        files: Option<CompiledRoute>,
        on_error: Py<PyAny>,
        refuse_file: Py<PyAny>,
        on_exception: Option<Py<PyAny>>,
        on_sent: Option<Py<PyAny>>,
        call_after: Py<PyAny>,
        request_members: &Bound<'_, PyMapping>,
        response_members: &Bound<'_, PyMapping>,
        resources: Vec<Py<PyAny>>,
    ) -> PyResult<()> {
        let settings = &self.settings;
        // What they answer has no route.
        let unrouted = |route: CompiledRoute| CompiledRoute { pattern: Arc::default(), ..route };
        let (fallback, files) = (fallback.map(unrouted), files.map(unrouted));
        let uploads = Arc::new(UploadDir::new(settings.upload_dir.clone()));
        py.detach(|| uploads.clear_abandoned());
        let sent = on_sent.is_some().then(SentQueue::new);
        let member = |module: &str, name: &str| PyResult::Ok(py.import(module)?.getattr(name)?.unbind());
        let compile = || {
            PyResult::Ok(Arc::new(CompiledApp {
                slime: self.app.clone_ref(py),
                router: Self::router(py, &routes)?,
                mounts: mounts
                    .iter()
                    .map(|mount| Ok((StaticDir::new(&mount.directory, &mount.prefix), mount.fields()?)))
                    .collect::<PyResult<_>>()?,
                fallback: fallback.as_ref().map(|route| Arc::new(route.clone_ref(py))),
                files: files.as_ref().map(|route| Arc::new(route.clone_ref(py))),
                on_error: on_error.clone_ref(py),
                refuse_file: refuse_file.clone_ref(py),
                call_after: call_after.clone_ref(py),
                on_exception: on_exception.as_ref().map(|function| function.clone_ref(py)),
                json_default: member("slimeweb.json", "default")?,
                method: member("types", "MethodType")?,
                request_members: frozen(request_members)?,
                response_members: frozen(response_members)?,
                resources: resources.iter().map(|each| each.clone_ref(py)).collect(),
                missing: member("slimeweb._members", "missing_attribute")?,
                workers: Arc::clone(&self.workers),
                proxies: self.proxies.clone(),
                root_path: settings.root_path.as_str().into(),
                uploads: Arc::clone(&uploads),
                form_limits: settings.form_limits(&uploads),
                form_fields: settings.form_fields,
                send_timeout: self.config.limits.send_timeout,
                sent: sent.clone(),
                counters: Arc::clone(&self.counters),
            }))
        };
        let gil_enabled = member("slimeweb._gil", "is_gil_enabled")?.call0(py)?.is_truthy(py)?;
        let apps = self.workers.list.iter().map(|_| compile()).collect::<PyResult<Vec<_>>>()?;
        let mut lifecycle = self.lifecycle.lock();
        let listeners = match std::mem::replace(&mut *lifecycle, Lifecycle::Ended) {
            Lifecycle::Bound(listeners) => listeners,
            other => {
                *lifecycle = other;
                return Err(PyRuntimeError::new_err("this server has been started before: make a new one"));
            }
        };
        let _ = self.routes.set(RouteUsage::all(&apps));
        self.workers.set_gil_enabled(gil_enabled);
        backup::watch(&self.workers)?;
        let executors = self.workers.list.iter().map(|worker| worker.spawner().clone()).collect::<Vec<_>>();
        #[expect(clippy::indexing_slicing, reason = "an application has been compiled for each worker")]
        let service = |worker_id: usize| PythonService::new(Arc::clone(&apps[worker_id]), worker_id);
        if let (Some(sent), Some(on_sent)) = (&sent, on_sent) {
            sent.start(on_sent, uploads.token().to_string())?;
        }
        let started = slimeweb_http::Server::start(listeners, self.config.clone(), &executors, service);
        if let (Err(_), Some(sent)) = (&started, &sent) {
            sent.close(Duration::ZERO);
        }
        let handle = started.map_err(server_error)?;
        *lifecycle = Lifecycle::Serving(handle, sent);
        Ok(())
    }

    /// Begins to stop: no new connections, requests in flight finish within the grace time. Returns at once.
    fn shutdown(&self) {
        match self.handle() {
            Some(handle) => handle.shutdown(),
            None => *self.lifecycle.lock() = Lifecycle::Ended,
        }
    }

    /// Drops every connection, whatever is in flight, so that `wait` ends. Returns at once.
    fn cut(&self) {
        if let Some(handle) = self.handle() {
            handle.stop();
        }
    }

    /// What is going on: requests whose answer is not a stream, streams, connections that have switched protocols, and
    /// what of it each route has.
    fn pending(&self) -> (usize, usize, usize, BTreeMap<String, usize>) {
        let (requests, streams) = self.handle().map_or((0, 0), |handle| handle.in_flight());
        let upgraded = self.counters.upgraded.load(Ordering::Relaxed);
        let mut routes = BTreeMap::new();
        for (name, count) in self.routes.get().into_iter().flatten().filter_map(RouteUsage::used) {
            *routes.entry(name).or_default() += count;
        }
        (requests.saturating_sub(streams), streams, upgraded, routes)
    }

    /// Waits until the server has stopped, at most `timeout` seconds: true when it has.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let timeout = timeout
            .map(|seconds| {
                Duration::try_from_secs_f64(seconds)
                    .map_err(|_| PyValueError::new_err("timeout must be seconds, zero or more"))
            })
            .transpose()?;
        let Some(handle) = self.handle() else { return Ok(true) };
        Ok(py.detach(|| handle.wait(timeout)))
    }

    /// Whether a plain handler is at work, also one whose answer is out or whose client has left.
    fn is_busy(&self) -> bool {
        self.workers.pool.is_busy()
    }

    /// Ends everything that is left, at once; gives handlers `timeout` seconds in all. True when every thread has
    /// ended.
    #[pyo3(signature = (timeout=1.0))]
    fn stop(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = Duration::try_from_secs_f64(timeout)
            .map_err(|_| PyValueError::new_err("timeout must be seconds, zero or more"))?;
        let lifecycle = std::mem::replace(&mut *self.lifecycle.lock(), Lifecycle::Ended);
        Ok(py.detach(|| {
            let deadline = Instant::now() + timeout;
            let left = || deadline.saturating_duration_since(Instant::now());
            let (served, told) = match &lifecycle {
                Lifecycle::Serving(handle, sent) => {
                    handle.stop();
                    let served = handle.wait(Some(left()));
                    // After the last answer, so that it is told as well, however long its handler has taken.
                    (served, sent.as_ref().is_none_or(|sent| sent.close(timeout)))
                }
                Lifecycle::Bound(_) | Lifecycle::Ended => (true, true),
            };
            self.workers.pool.close(left()) & self.workers.close_watchdog(left()) & served & told
        }))
    }
}
