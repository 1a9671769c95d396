//! Writes the Kotlin, Swift and Python faces out of the built library: uniffi's own generator, at the version of this crate.

fn main() {
    uniffi::uniffi_bindgen_main();
}
