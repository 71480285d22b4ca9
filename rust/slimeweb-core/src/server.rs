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

use crate::access::AccessLog;
use crate::lanes::Lanes;
use crate::lanes::event_loop::{LoopPort, Port};
use crate::lanes::pool::Pool;
use crate::lanes::rescue::Watch;
use crate::plan::{Mount, Plan};
use crate::proxies::TrustedProxies;
use crate::service::PythonService;
use crate::settings::Settings;
use crate::site::{Counters, Site, frozen};

/// Listens from construction on; serves from `start` until `shutdown`.
#[pyclass(frozen, module = "slimeweb._core")]
pub(crate) struct Server {
    app: Py<PyAny>,
    settings: Settings,
    config: Config,
    proxies: TrustedProxies,
    addresses: Vec<Address>,
    lanes: Arc<Lanes>,
    counters: Arc<Counters>,
    /// Set when it starts.
    routes: OnceLock<Vec<Watched>>,
    lifecycle: Mutex<Lifecycle>,
}

/// A route of one worker, and how often its plan is held while nobody is at it. Whatever a request is at holds it once
/// more, which is a count that costs requests nothing.
struct Watched {
    plan: Weak<Plan>,
    at_rest: usize,
}

impl Watched {
    fn all(sites: &[Arc<Site>]) -> Vec<Self> {
        let plans = sites.iter().flat_map(|site| site.router.values().chain(&site.fallback));
        let mut watched = Vec::<Self>::new();
        for plan in plans {
            let plan = Arc::downgrade(plan);
            if !watched.iter().any(|other| other.plan.ptr_eq(&plan)) {
                watched.push(Self { at_rest: plan.strong_count(), plan });
            }
        }
        watched
    }

    /// Its name, and by how much it is used now, where it is.
    fn used(&self) -> Option<(String, usize)> {
        let count = self.plan.strong_count().checked_sub(self.at_rest).filter(|count| *count > 0)?;
        let plan = self.plan.upgrade()?;
        (!plan.pattern.is_empty()).then(|| (format!("{} {}", plan.methods.join(","), plan.pattern), count))
    }
}

enum Lifecycle {
    Bound(Vec<Listener>),
    Serving(ServerHandle, Option<Arc<AccessLog>>),
    Ended,
}

impl Server {
    fn router(py: Python<'_>, plans: &[Plan]) -> PyResult<Router<Arc<Plan>>> {
        let mut builder = Router::builder();
        for plan in plans {
            let pattern = Pattern::parse(&plan.pattern).map_err(|error| PyValueError::new_err(error.to_string()))?;
            let methods = if plan.methods.iter().any(|method| method == "*") {
                Methods::Any
            } else {
                let methods = plan.methods.iter().map(|method| {
                    Method::from_bytes(method.as_bytes())
                        .map_err(|_| PyValueError::new_err(format!("{method:?} is not an HTTP method")))
                });
                Methods::These(methods.collect::<PyResult<_>>()?)
            };
            builder
                .add(&methods, &pattern, Arc::new(plan.clone_ref(py)))
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
        let workers = settings.workers.max(1);
        let ports = (0..workers).map(|_| Port::new()).collect::<std::io::Result<Vec<_>>>()?;
        // Twice the workers keeps the cores busy; the pool grows by itself when its threads block.
        let pool = Pool::new(workers * 2, settings.pool_threads, settings.worker_queue_size, settings.pool_rest()?);
        Ok(Self {
            app,
            addresses: vec![listener.address().clone()],
            lanes: Arc::new(Lanes::new(pool, ports)),
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

    /// The doors to the workers' event loops, one each.
    fn ports(&self) -> Vec<LoopPort> {
        (0..self.lanes.ports.len()).map(|number| LoopPort::new(&self.lanes, number)).collect()
    }

    /// Starts to serve. `ValueError` for plans that do not fit, `OSError` for what the system refuses.
    #[allow(clippy::too_many_arguments, reason = "what an application compiles to, once")]
    fn start(
        &self,
        py: Python<'_>,
        plans: Vec<Plan>,
        mounts: Vec<Mount>,
        fallback: Option<Plan>,
        files: Option<Plan>,
        on_error: Py<PyAny>,
        request_members: &Bound<'_, PyMapping>,
        response_members: &Bound<'_, PyMapping>,
        access: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let settings = &self.settings;
        let access = access.map(AccessLog::start).transpose()?.map(Arc::new);
        // What they answer has no route, and says so.
        let unrouted = |plan: Plan| Plan { pattern: String::new(), ..plan };
        let (fallback, files) = (fallback.map(unrouted), files.map(unrouted));
        let uploads = Arc::new(UploadDir::new(settings.upload_dir.clone()));
        py.detach(|| uploads.clear_abandoned());
        let member = |module: &str, name: &str| PyResult::Ok(py.import(module)?.getattr(name)?.unbind());
        let site = || {
            PyResult::Ok(Arc::new(Site {
                app: self.app.clone_ref(py),
                router: Self::router(py, &plans)?,
                mounts: mounts
                    .iter()
                    .map(|mount| Ok((StaticDir::new(&mount.directory, &mount.prefix), mount.fields()?)))
                    .collect::<PyResult<_>>()?,
                fallback: fallback.as_ref().map(|plan| Arc::new(plan.clone_ref(py))),
                files: files.as_ref().map(|plan| Arc::new(plan.clone_ref(py))),
                on_error: on_error.clone_ref(py),
                json_default: member("slimeweb.encoding", "default")?,
                method: member("types", "MethodType")?,
                request_members: frozen(request_members)?,
                response_members: frozen(response_members)?,
                missing: member("slimeweb.members", "missing_attribute")?,
                lanes: Arc::clone(&self.lanes),
                proxies: self.proxies.clone(),
                uploads: Arc::clone(&uploads),
                form_limits: settings.form_limits(&uploads),
                form_fields: settings.form_fields,
                send_timeout: self.config.limits.send_timeout,
                access: access.clone(),
                counters: Arc::clone(&self.counters),
            }))
        };
        let gil_enabled = member("slimeweb.interpreter", "is_gil_enabled")?.call0(py)?.is_truthy(py)?;
        let sites = self.lanes.ports.iter().map(|_| site()).collect::<PyResult<Vec<_>>>()?;
        let mut lifecycle = self.lifecycle.lock();
        let listeners = match std::mem::replace(&mut *lifecycle, Lifecycle::Ended) {
            Lifecycle::Bound(listeners) => listeners,
            other => {
                *lifecycle = other;
                return Err(PyRuntimeError::new_err("this server has been started before: make a new one"));
            }
        };
        let _ = self.routes.set(Watched::all(&sites));
        self.lanes.set_gil_enabled(gil_enabled);
        Watch::start(&self.lanes)?;
        let executors = self.lanes.ports.iter().map(|port| port.spawner().clone()).collect::<Vec<_>>();
        let service = |worker: usize| PythonService::new(Arc::clone(&sites[worker]), worker);
        let handle =
            slimeweb_http::Server::start(listeners, self.config.clone(), &executors, service).map_err(server_error)?;
        *lifecycle = Lifecycle::Serving(handle, access);
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
        let tunnels = self.counters.tunnels.load(Ordering::Relaxed);
        let mut routes = BTreeMap::new();
        for (name, count) in self.routes.get().into_iter().flatten().filter_map(Watched::used) {
            *routes.entry(name).or_default() += count;
        }
        (requests.saturating_sub(streams), streams, tunnels, routes)
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
            let (served, written) = match &lifecycle {
                Lifecycle::Serving(handle, access) => {
                    handle.stop();
                    let served = handle.wait(Some(left()));
                    // After the last answer, so that its line is written as well.
                    (served, access.as_ref().is_none_or(|access| access.close(left())))
                }
                Lifecycle::Bound(_) | Lifecycle::Ended => (true, true),
            };
            self.lanes.pool.close(left()) & self.lanes.watch.close(&self.lanes, left()) & served & written
        }))
    }
}
