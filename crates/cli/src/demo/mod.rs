//! `openpeer demo`: two people on two independent domains meet, and every server dies without their noticing.
//!
//! Everything is real: two servers and two peers, each a process of its own with its own keys and data, on free loopback
//! ports. `story` is what happens, `account` what is told of it. Whatever goes wrong, the processes end with this one
//! and their folder goes with them.

mod account;
mod domain;
mod file;
mod person;
mod process;
mod story;

use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;
use process::Family;
use story::Story;

pub(crate) async fn run(output: Output) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("openpeer-demo-").tempdir()?;
    let mut signals = Signals::new()?;
    let family = Family::new(folder.path());
    let account = tokio::select! {
        account = Story::new(&family, output).tell() => account,
        () = signals.next() => Err(Failure::new("cancelled", "interrupted")),
    };
    family.end().await;
    folder.close()?;
    let account = account?;
    output.result(&account, || account.words())
}
