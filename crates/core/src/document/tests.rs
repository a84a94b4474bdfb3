mod chain;
mod continuity;
pub(crate) mod fixture;
mod kinds;
mod names;
mod profile;

use super::*;

/// Every type of signed text, messages and `hello` included.
pub(crate) fn types() -> Vec<&'static str> {
    vec![
        ChainStatement::TYPE,
        LocationCertificate::TYPE,
        B::TYPE,
        Reach::TYPE,
        Public::TYPE,
        NameRecord::TYPE,
        DomainDocument::TYPE,
        Claim::TYPE,
        crate::finder::Hello::TYPE,
        crate::message::Find::TYPE,
        crate::message::Answer::TYPE,
        crate::message::Knock::TYPE,
    ]
}
