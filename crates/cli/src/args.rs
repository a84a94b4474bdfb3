//! What can be typed.

use clap::{Args, Parser, Subcommand, ValueEnum};
use openpeer::Resolve;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Introduce, then leave: people on independent services find each other and talk directly.
#[derive(Debug, Parser)]
#[command(
    name = "openpeer",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "Try it: openpeer demo\n\
    Exit codes: 0 done, 1 failed (the message starts with a stable code), 2 wrong use.")]
pub(crate) struct Arguments {
    /// Print one JSON object per line for machines; words and progress go to standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server of a domain
    #[command(after_help = "Examples:\n  \
        openpeer serve --domain example.org --listen [::]:443 --data /var/lib/openpeer \\\n      \
        --certificate fullchain.pem --key privkey.pem --stun [::]:3478\n  \
        openpeer serve --domain a.test --listen 127.0.0.1:8443 --data /tmp/a --dev")]
    Serve(Box<Serve>),
    /// Make invite codes for a domain whose names need one
    #[command(after_help = "Example: openpeer invite --data /var/lib/openpeer --count 3 --days 14\n\
        Stop the server first: one program at a time opens its data directory.")]
    Invite(Invite),
    /// Give a released name free again, before or after its 90 days
    #[command(after_help = "Example: openpeer unblock alice --data /var/lib/openpeer")]
    Unblock(Unblock),
    /// Watch two people on two domains meet, talk, and go on talking while every server is killed
    #[command(after_help = "Example: openpeer demo")]
    Demo,
    /// Your peer: its id, its keys, its devices
    #[command(subcommand)]
    Id(Id),
    /// Your name at a domain
    #[command(subcommand)]
    Name(NameCommand),
    /// Who you know
    #[command(after_help = "Examples:\n  openpeer contacts\n  openpeer contacts rename bob@b.test Bob")]
    Contacts(Contacts),
    /// Show the safety number that you and somebody else can compare in person or by phone
    #[command(after_help = "Example: openpeer compare bob@b.test")]
    Compare(To),
    /// Be reachable: answer knocks, chat and take files
    #[command(
        after_help = "Examples:\n  openpeer listen\n  openpeer listen --accept alice@a.test --files ~/Downloads"
    )]
    Listen(Listen),
    /// Connect to somebody, say over which path, and close
    #[command(after_help = "Example: openpeer find bob@b.test")]
    Find(Connect),
    /// Talk to somebody, line by line
    #[command(after_help = "Example: openpeer chat bob@b.test --text 'Hello, it is Alice from work'")]
    Chat(Connect),
    /// Send a file to somebody who agrees to take it
    #[command(after_help = "Example: openpeer send photo.jpg bob@b.test")]
    Send(Send),
    /// Drive a peer from another process: JSON lines in, JSON lines out
    #[command(hide = true)]
    Agent(Agent),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The domain, with its port if that is not 443
    #[arg(long, value_name = "NAME", required_unless_present = "config")]
    pub(crate) domain: Option<String>,
    /// Address for HTTPS and WebSocket; may be repeated; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", required_unless_present = "config")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Directory for keys, names and knocks
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    pub(crate) data: Option<PathBuf>,
    /// Configuration file; docs/operations.md describes every key. Options beside it take precedence
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) config: Option<PathBuf>,
    /// Make a certificate authority and a certificate of one's own, for development
    #[arg(long, conflicts_with_all = ["plain", "certificate"])]
    pub(crate) dev: bool,
    /// Speak HTTP without TLS; on loopback only
    #[arg(long, conflicts_with = "certificate")]
    pub(crate) plain: bool,
    /// Certificate chain in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// Private key of the certificate in PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
    /// Who may claim names; unless given: `open` with --dev, otherwise `invite`
    #[arg(long, value_name = "POLICY")]
    pub(crate) names: Option<NamesPolicy>,
    /// Address for STUN over UDP; may be repeated
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) stun: Vec<SocketAddr>,
    /// A separate address for /metrics and /healthz, plain HTTP
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Where people report abuse
    #[arg(long, value_name = "URL")]
    pub(crate) contact: Option<String>,
    /// What to log, such as `info` or `openpeer_server=debug`
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// End when standard input does: for parents whose death must not leave a server behind
    #[arg(long, hide = true)]
    pub(crate) until_stdin_ends: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NamesPolicy {
    /// Everybody
    Open,
    /// Whoever has an invite code
    Invite,
    /// Nobody; the domain has no names
    None,
}

#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// The server's data directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// How many codes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) count: u16,
    /// For how many days they are good
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(crate) days: u16,
}

#[derive(Debug, Args)]
pub(crate) struct Unblock {
    /// The name, without the domain
    pub(crate) name: String,
    /// The server's data directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}

/// Options of every command that uses your peer.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Your peer")]
pub(crate) struct PeerOptions {
    /// Directory of your keys and contacts; unless given, the usual one of your system
    #[arg(long, value_name = "DIR", env = "OPENPEER_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// A domain through which you can be found; may be repeated; remembered
    #[arg(long, value_name = "NAME", env = "OPENPEER_DOMAIN", value_delimiter = ',')]
    pub(crate) domain: Vec<String>,
    /// Also trust the certificate authorities of this PEM file; may be repeated
    #[arg(long, value_name = "FILE", env = "OPENPEER_CACERT")]
    pub(crate) cacert: Vec<PathBuf>,
    /// Connect to this address instead of what the name resolves to; may be repeated
    #[arg(long, value_name = "NAME:PORT:ADDR", env = "OPENPEER_RESOLVE", value_delimiter = ',')]
    pub(crate) resolve: Vec<Resolve>,
    /// Read the passphrase of your keys from the first line of this file; OPENPEER_PASSPHRASE does too
    #[arg(long, value_name = "FILE", env = "OPENPEER_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Your keys have no passphrase: whoever can read the files can be you
    #[arg(long, conflicts_with = "passphrase_file")]
    pub(crate) no_passphrase: bool,
    /// Take loopback addresses, for development
    #[arg(long)]
    pub(crate) dev: bool,
    /// Log to standard error what this filter lets through, such as `info`
    #[arg(long, value_name = "FILTER", env = "OPENPEER_LOG")]
    pub(crate) log: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Id {
    /// Make a new peer; shows its recovery code, once
    #[command(after_help = "Example: openpeer id new --domain example.org")]
    New {
        /// Without recovery code: the keys can never be replaced, and whoever steals them keeps them
        #[arg(long)]
        guest: bool,
        #[command(flatten)]
        peer: PeerOptions,
    },
    /// Show the peer's id and domains
    #[command(after_help = "Example: openpeer id show")]
    Show(PeerOnly),
    /// Write root key and contacts to a file, encrypted with a passphrase of its own
    #[command(after_help = "Example: openpeer id export alice.openpeer")]
    Export(Transport),
    /// Make this device another location of an exported peer
    #[command(after_help = "Example: openpeer id import alice.openpeer --data ./second")]
    Import(Transport),
    /// Replace the root key by the next one; asks for the recovery code
    #[command(after_help = "Example: openpeer id rotate")]
    Rotate {
        /// Read the recovery code from the first line of this file instead of asking for it
        #[arg(long, value_name = "FILE")]
        recovery_code_file: Option<PathBuf>,
        #[command(flatten)]
        peer: PeerOptions,
    },
    /// Name the other locations of this peer; those left out are revoked
    #[command(after_help = "Example: openpeer id locations LOCATION-ID-OF-THE-PHONE\n\
        `openpeer id show` on each device shows its location id.")]
    Locations {
        /// Ids of the other locations, at most 7
        #[arg(value_name = "LOCATION-ID", required_unless_present = "none")]
        ids: Vec<String>,
        /// This is the only location
        #[arg(long, conflicts_with = "ids")]
        none: bool,
        #[command(flatten)]
        peer: PeerOptions,
    },
}

/// A command that needs nothing but the peer.
#[derive(Debug, Args)]
pub(crate) struct PeerOnly {
    #[command(flatten)]
    pub(crate) peer: PeerOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Transport {
    /// The exported file
    pub(crate) file: PathBuf,
    /// Read the passphrase of the exported file from the first line of this file instead of asking for it
    #[arg(long, value_name = "FILE")]
    pub(crate) export_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) peer: PeerOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NameCommand {
    /// Claim a name, so that others find you as NAME@DOMAIN
    #[command(after_help = "Example: openpeer name claim alice --invite CODE")]
    Claim {
        /// 2 to 32 of a-z, 0-9, dot, underscore, hyphen
        name: String,
        /// At which of your domains; unless given, the first
        #[arg(long, value_name = "DOMAIN")]
        at: Option<String>,
        /// An invite code of the domain's operator
        #[arg(long, value_name = "CODE")]
        invite: Option<String>,
        #[command(flatten)]
        peer: PeerOptions,
    },
    /// Give a name back; it stays blocked for 90 days
    #[command(after_help = "Example: openpeer name release alice@example.org")]
    Release {
        /// NAME@DOMAIN
        address: String,
        #[command(flatten)]
        peer: PeerOptions,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Contacts {
    #[command(subcommand)]
    pub(crate) change: Option<ContactChange>,
    #[command(flatten)]
    pub(crate) peer: PeerOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContactChange {
    /// Give somebody a name that only you see
    #[command(after_help = "Example: openpeer contacts rename bob@b.test Bob")]
    Rename {
        /// Peer id, or the name or address that `openpeer contacts` shows
        who: String,
        /// The new name; an empty one takes it away
        name: String,
        #[command(flatten)]
        peer: PeerOptions,
    },
    /// Hear nothing of somebody any more
    #[command(after_help = "Example: openpeer contacts block mallory@m.test")]
    Block(Who),
    /// Take somebody who was blocked as a contact again
    #[command(after_help = "Example: openpeer contacts unblock mallory@m.test")]
    Unblock(Who),
    /// Remove somebody from your contacts
    #[command(after_help = "Example: openpeer contacts remove bob@b.test")]
    Remove(Who),
}

#[derive(Debug, Args)]
pub(crate) struct Who {
    /// Peer id, or the name or address that `openpeer contacts` shows
    pub(crate) who: String,
    #[command(flatten)]
    pub(crate) peer: PeerOptions,
}

#[derive(Debug, Args)]
pub(crate) struct To {
    /// NAME@DOMAIN, a peer id, a peer: URI, or your name for a contact
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) peer: PeerOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// NAME@DOMAIN, a peer id, a peer: URI, or your name for a contact
    pub(crate) to: String,
    /// A few words for somebody who does not know you yet, at most 280 bytes
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) text: String,
    /// Give up after this many seconds; a stranger may take long to answer a knock
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub(crate) patience: u64,
    #[command(flatten)]
    pub(crate) peer: PeerOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The file
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) connect: Connect,
}

#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// Say yes to every knock and to every file
    #[arg(long)]
    pub(crate) accept_all: bool,
    /// Say yes to knocks and files of this peer id or contact without asking; may be repeated. Names that a stranger
    /// claims do not count: nobody has checked them
    #[arg(long, value_name = "FROM")]
    pub(crate) accept: Vec<String>,
    /// Folder for received files
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) files: PathBuf,
    #[command(flatten)]
    pub(crate) peer: PeerOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Agent {
    /// Folder for received files
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) files: PathBuf,
    #[command(flatten)]
    pub(crate) peer: PeerOptions,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_words_and_an_example() {
        fn check(command: &clap::Command) {
            for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
                let name = command.get_name();
                assert!(command.get_about().is_some(), "{name}");
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example") || command.has_subcommands(), "{name} has no example");
                check(command);
            }
        }
        check(&Arguments::command());
    }
}
