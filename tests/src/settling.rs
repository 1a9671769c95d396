//! Reviews as most are: whoever settles one has looked at all that is held of its document. Who has not calls `review::settle` itself.

use patrol_core::domain::id::{ChangeHash, DocumentId, PersonId};
use patrol_core::domain::refusal::Refusal;
use patrol_server::app::App;
use patrol_server::office;
use patrol_server::review::{self, Decision};

/// Everything of a document that is held now, the one to be settled first: who settles it has looked at all of it.
pub fn looked_at(app: &App, id: DocumentId, first: ChangeHash) -> Vec<ChangeHash> {
    let mut all = vec![first];
    let read = app.store.read(&mut |snapshot| {
        all.extend(snapshot.held_keys(id)?.into_iter().map(|(_, hash)| hash));
        Ok(())
    });
    read.expect("a read of the model");
    all
}

/// Settles a held change after a look at all that is held of its document.
pub fn settle_all(
    app: &App,
    person: PersonId,
    id: DocumentId,
    first: ChangeHash,
    decision: Decision,
    words: &str,
) -> office::Result<Option<Refusal>> {
    review::settle(app, person, id, &looked_at(app, id, first), decision, words)
}
