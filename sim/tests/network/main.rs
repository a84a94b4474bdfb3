//! Whole networks of machines in virtual time: what a connect costs, what breaks and heals, and what hostile peers,
//! finders and domains get out of it. One file per theme.

mod bytes;
mod cast;
#[cfg(test)] // so that it may `unwrap` like tests
mod forger;
mod glare;
mod hostile_domain;
mod hostile_finder;
#[cfg(test)]
mod hostile_peer;
mod locations;
mod resilience;
mod round_trips;
mod servers_die;
