//! Entries come back from their bytes, and each departure from the form is named.
