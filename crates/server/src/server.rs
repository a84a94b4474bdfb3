use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::connection::{self, Door};
use crate::defaults::{CLOSE_TIMEOUT, HOUSEKEEPING_INTERVAL, LISTEN_BACKLOG};
use crate::domain::{Authority, Content, Secrets};
use crate::error::StartError;
use crate::finder::FinderShell;
use crate::gate::Gate;
use crate::metrics::{Exposition, Metrics};
use crate::names::Names;
use crate::{random, stun, tls};
use openpeer_core::defaults::{DRAIN_TIME, SOURCE_RATE};
use openpeer_core::finder::{Finder, FinderConfig, TurnConfig};
use openpeer_core::uri::FinderUrl;
use openpeer_store::Store;
use std::io;
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A running domain server. Dropping it stops everything at once; [`Server::shutdown`] lets its sessions move first.
pub struct Server {
    app: Arc<App>,
    addresses: Addresses,
    development_authority: Option<PathBuf>,
    /// Runs the finder machine's timer as long as there are sessions, which is longer than anything is accepted.
    timer: JoinHandle<()>,
}

struct Addresses {
    listen: Vec<SocketAddr>,
    stun: Vec<SocketAddr>,
    metrics: Option<SocketAddr>,
}

impl Server {
    /// Starts a server on the current tokio runtime. When it returns, every port is open.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn spawn(config: Config, store: Arc<dyn Store>) -> Result<Self, StartError> {
        config.check()?;
        let tls = tls::server_config(&config)?;
        let sockets = Sockets::open(&config)?;
        let secrets = Secrets::load(&*store, &config.domain).await?;
        let addresses = sockets.addresses()?;
        let app = build(&config, store, secrets, &addresses).await?;
        sockets.serve(&app, &config, tls.map(TlsAcceptor::from));
        app.tasks.spawn(app.drain.clone().run_until_cancelled_owned(keep_house(app.clone())));
        let timer = tokio::spawn(app.finder.clone().run_timer(app.stop.clone()));
        tracing::info!(domain = %config.domain, tls = config.is_tls(), finder = %app.authority.finder(), "serving");
        let development_authority = config.dev.then(|| tls::authority_path(&config.data));
        if let Some(path) = &development_authority {
            tracing::info!(path = %path.display(), "development certificates; give clients this file as --cacert");
        }
        Ok(Self { app, addresses, development_authority, timer })
    }

    /// The first address of `listen`, with the port that it got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses.listen[0]
    }

    /// All addresses of `listen`.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses.listen
    }

    /// The first STUN address, if STUN is on.
    #[must_use]
    pub fn stun_addr(&self) -> Option<SocketAddr> {
        self.addresses.stun.first().copied()
    }

    /// The separate address for metrics, if there is one.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.addresses.metrics
    }

    /// The certificate of the development authority, to be trusted by clients; with `dev` only.
    #[must_use]
    pub fn development_authority(&self) -> Option<&Path> {
        self.development_authority.as_deref()
    }

    /// Stops gracefully: accepts nothing new, tells all sessions to move to another finder, and waits until they have,
    /// at most ten seconds; then ends what is left and waits for the store, which nothing of the server uses afterwards.
    pub async fn shutdown(mut self) {
        tracing::info!("draining");
        self.app.drain.cancel();
        self.app.finder.drain();
        self.app.tasks.close();
        let patience = Duration::from_millis(DRAIN_TIME) + CLOSE_TIMEOUT;
        if timeout(patience, self.app.tasks.wait()).await.is_err() {
            self.app.finder.close_all();
            self.app.stop.cancel();
            // Sessions say goodbye within `CLOSE_TIMEOUT`; whoever does not even close is left behind.
            let _ = timeout(2 * CLOSE_TIMEOUT, self.app.tasks.wait()).await;
        }
        self.app.finder.finish_calls().await;
        self.app.stop.cancel();
        // It fails only if it panicked, which was reported then.
        let _ = (&mut self.timer).await;
        tracing::info!("stopped");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.app.drain.cancel();
        self.app.stop.cancel();
        self.app.finder.close_all();
    }
}

async fn build(
    config: &Config,
    store: Arc<dyn Store>,
    secrets: Secrets,
    addresses: &Addresses,
) -> Result<Arc<App>, StartError> {
    let (clock, metrics) = (Clock::new(), Metrics::new());
    let content = content(config, addresses)?;
    let machine = Finder::new(finder_config(config, &content, &secrets), random::bytes())
        .map_err(|error| StartError::Config { detail: error.to_string() })?;
    let finder = FinderShell::new(machine, secrets.domain_key.clone(), store.clone(), metrics.clone(), clock);
    let authority =
        Authority::start(content, secrets.domain_key, store.clone(), metrics.clone(), clock.now()).await?;
    let gate = Gate::new(config.limits.clone());
    Ok(Arc::new(App {
        clock,
        store,
        authority,
        names: config.names.clone().map(Names::new),
        exposition: Exposition::new(metrics.clone(), finder.clone(), gate.clone()),
        finder,
        gate,
        metrics,
        tasks: TaskTracker::new(),
        drain: CancellationToken::new(),
        stop: CancellationToken::new(),
    }))
}

fn content(config: &Config, addresses: &Addresses) -> Result<Content, StartError> {
    let finder = match &config.finder_url {
        Some(url) => Ok(url.clone()),
        None if config.is_tls() => FinderUrl::from_text(&format!("wss://{}/finder", config.domain)),
        None => FinderUrl::from_text(&format!("ws://localhost:{}/finder", addresses.listen[0].port())),
    };
    let finder = finder.map_err(|error| StartError::Config { detail: format!("finder_url: {error}") })?;
    let stun = match (&config.stun, addresses.stun.first()) {
        (Some(stun), Some(first)) => stun
            .urls
            .clone()
            .unwrap_or_else(|| vec![format!("stun:{}:{}", config.domain.host(), first.port())]),
        _ => Vec::new(),
    };
    Ok(Content { domain: config.domain.clone(), finder, stun, contact: config.contact.clone() })
}

fn finder_config(config: &Config, content: &Content, secrets: &Secrets) -> FinderConfig {
    let turn = config.turn_secret.as_ref();
    FinderConfig {
        domain: content.domain.clone(),
        url: content.finder.clone(),
        domain_key: secrets.domain_key.public_key(),
        finder_secret: secrets.finder_secret.clone(),
        stun: content.stun.clone(),
        turn: turn.map(|secret| TurnConfig { secret: secret.0.clone(), urls: config.turn_urls.clone() }),
        source_rate: SOURCE_RATE,
    }
}

/// Renews the domain document and removes what has expired.
async fn keep_house(app: Arc<App>) {
    let mut interval = tokio::time::interval(HOUSEKEEPING_INTERVAL);
    loop {
        interval.tick().await;
        app.authority.renew(app.clock).await;
        // A failure is logged and counted; the next round tries again.
        let _ = app.metrics.store_call("expire", app.store.expire(app.clock.now().as_millis())).await;
    }
}

/// Every socket, opened before anything starts.
struct Sockets {
    listen: Vec<TcpListener>,
    metrics: Option<TcpListener>,
    stun: Vec<UdpSocket>,
}

impl Sockets {
    fn open(config: &Config) -> Result<Self, StartError> {
        let sockets = config.listen.iter().map(|address| listen(*address)).collect::<Result<_, _>>()?;
        let metrics = config.metrics.listen.map(listen).transpose()?;
        let stun = config.stun.iter().flat_map(|stun| &stun.listen).map(|address| bind_udp(*address));
        Ok(Self { listen: sockets, metrics, stun: stun.collect::<Result<_, _>>()? })
    }

    fn addresses(&self) -> Result<Addresses, StartError> {
        let tcp = |listener: &TcpListener| listener.local_addr().map_err(StartError::internal);
        Ok(Addresses {
            listen: self.listen.iter().map(tcp).collect::<Result<_, _>>()?,
            stun: self
                .stun
                .iter()
                .map(|socket| socket.local_addr().map_err(StartError::internal))
                .collect::<Result<_, _>>()?,
            metrics: self.metrics.as_ref().map(tcp).transpose()?,
        })
    }

    fn serve(self, app: &Arc<App>, config: &Config, tls: Option<TlsAcceptor>) {
        for listener in self.listen {
            let is_loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
            let is_operator = is_loopback || config.metrics.public;
            app.tasks
                .spawn(connection::accept(Door { listener, tls: tls.clone(), is_operator }, app.clone()));
        }
        if let Some(listener) = self.metrics {
            app.tasks.spawn(connection::accept(Door { listener, tls: None, is_operator: true }, app.clone()));
        }
        for socket in self.stun {
            let serve = stun::serve(socket, app.clock, app.metrics.clone());
            app.tasks.spawn(app.drain.clone().run_until_cancelled_owned(serve));
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let open = || -> io::Result<TcpListener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(LISTEN_BACKLOG)
    };
    open().map_err(|source| StartError::Bind { address, protocol: "TCP", source })
}

fn bind_udp(address: SocketAddr) -> Result<UdpSocket, StartError> {
    let open = || -> io::Result<UdpSocket> {
        let socket = StdUdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket)
    };
    open().map_err(|source| StartError::Bind { address, protocol: "UDP", source })
}
