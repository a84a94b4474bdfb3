//! What the commands do.

mod contacts;
mod id;
mod lines;
mod listen;
mod name;
mod open;
mod operator;
mod reach;
mod serve;

pub(crate) use lines::Typed;
pub(crate) use open::open;
pub(crate) use reach::TRANSPORT;

use crate::args::Command;
use crate::failure::Failure;
use crate::output::Output;
use crate::{agent, demo};

pub(crate) async fn run(command: Command, output: Output) -> Result<(), Failure> {
    match command {
        Command::Serve(arguments) => serve::run(*arguments, output).await,
        Command::Invite(arguments) => operator::invite(&arguments, output).await,
        Command::Unblock(arguments) => operator::unblock(&arguments, output).await,
        Command::Demo => demo::run(output).await,
        Command::Id(command) => id::run(command, output).await,
        Command::Name(command) => name::run(command, output).await,
        Command::Contacts(arguments) => contacts::run(arguments, output).await,
        Command::Compare(arguments) => contacts::compare(arguments, output).await,
        Command::Listen(arguments) => listen::run(arguments, output).await,
        Command::Find(arguments) => reach::find(arguments, output).await,
        Command::Chat(arguments) => reach::chat(arguments, output).await,
        Command::Send(arguments) => reach::send(arguments, output).await,
        Command::Agent(arguments) => agent::run(arguments).await,
    }
}
