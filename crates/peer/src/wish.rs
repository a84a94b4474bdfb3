//! Wishes that a user waits for: builders that are awaited.

use crate::handle::{Handle, Outcome};
use crate::{Error, Link};
use openpeer_core::Code;
use openpeer_core::document::Name;
use openpeer_core::peer::{Input, Progress, Target};
use openpeer_core::uri::{Address, Domain};
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;

/// What the builders of this module become when they are awaited.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// A link to be opened, from [`crate::Peer::connect`]; await it. Dropping the future gives up.
#[must_use = "nothing happens until it is awaited"]
pub struct Connect {
    handle: Handle,
    target: Result<Target, openpeer_core::Error>,
    text: String,
    progress: Box<dyn FnMut(Progress) + Send>,
}

impl Connect {
    pub(crate) fn new(handle: Handle, to: &str) -> Self {
        let target = Address::from_text(to).map(Target::Address);
        Self { handle, target, text: String::new(), progress: Box::new(|_| ()) }
    }

    /// A few words for the knock, in case the other side does not know us: plain text, at most 280 bytes.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Is called at each step.
    pub fn progress(mut self, progress: impl FnMut(Progress) + Send + 'static) -> Self {
        self.progress = Box::new(progress);
        self
    }
}

impl IntoFuture for Connect {
    type Output = Result<Link, Error>;
    type IntoFuture = BoxFuture<Link>;

    fn into_future(self) -> BoxFuture<Link> {
        let Self { handle, target, text, progress } = self;
        Box::pin(async move {
            let target = target?;
            let wish = handle.wish(|request| Input::Connect { request, target, text })?;
            match wish.outcome(progress).await? {
                Outcome::Link(link) => Ok(link),
                Outcome::Claimed(_) | Outcome::Released => Err(Code::Internal.into()),
            }
        })
    }
}

/// A name to be claimed, from [`crate::Peer::claim`]; await it.
#[must_use = "nothing happens until it is awaited"]
pub struct Claim {
    handle: Handle,
    name: String,
    domain: Result<Domain, openpeer_core::Error>,
    invite: Option<String>,
}

impl Claim {
    pub(crate) fn new(handle: Handle, name: &str, first: Option<&Domain>) -> Self {
        let none = || openpeer_core::Error::new(Code::InvalidArgument, "this peer has no domain");
        Self { handle, name: name.to_owned(), domain: first.cloned().ok_or_else(none), invite: None }
    }

    /// At which of the peer's domains; unless given, at the first.
    pub fn at(mut self, domain: &str) -> Self {
        self.domain = Domain::from_text(domain);
        self
    }

    /// An invite code, where the domain wants one.
    pub fn invite(mut self, code: impl Into<String>) -> Self {
        self.invite = Some(code.into());
        self
    }
}

impl IntoFuture for Claim {
    type Output = Result<Address, Error>;
    type IntoFuture = BoxFuture<Address>;

    fn into_future(self) -> BoxFuture<Address> {
        let Self { handle, name, domain, invite } = self;
        Box::pin(async move {
            let (name, domain) = (Name::from_text(&name)?, domain?);
            let wish = handle.wish(|request| Input::ClaimName { request, name, domain, invite })?;
            match wish.outcome(|_| ()).await? {
                Outcome::Claimed(address) => Ok(address),
                Outcome::Link(_) | Outcome::Released => Err(Code::Internal.into()),
            }
        })
    }
}

/// Gives a name back.
pub(crate) async fn release(handle: &Handle, address: &str) -> Result<(), Error> {
    let Address::Name { name, domain } = Address::from_text(address)? else {
        let error =
            openpeer_core::Error::new(Code::InvalidArgument, "give the name with its domain: alice@a.test");
        return Err(error.into());
    };
    let wish = handle.wish(|request| Input::ReleaseName { request, name, domain })?;
    wish.outcome(|_| ()).await.map(|_| ())
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").field("target", &self.target).finish_non_exhaustive()
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { handle: _, name, domain, invite: _ } = self;
        f.debug_struct("Claim").field("name", name).field("domain", domain).finish_non_exhaustive()
    }
}
