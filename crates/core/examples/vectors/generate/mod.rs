//! The content of every vector file. Compiled into the example that writes the files and into the test that compares.

pub(crate) mod book;
mod cast;
mod contents;
mod documents;
mod ed25519;
mod exchanges;
mod frames;
mod json;
mod keys;
mod sealing;
mod world;

use json::Json;

/// Every file: its name and its text.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    let [knock, contact] = exchanges::files();
    let files = [
        ("keys.json", keys::file()),
        ("ed25519.json", ed25519::file()),
        ("documents.json", documents::file()),
        ("sealing.json", sealing::file()),
        ("frames.json", frames::file()),
        ("exchange-knock.json", knock),
        ("exchange-contact.json", contact),
    ];
    files.into_iter().map(|(name, content)| (name, Json::to_file(&content))).collect()
}
