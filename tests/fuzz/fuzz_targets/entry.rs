//! See `patrol_tests::fuzzing::entry_or_change`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    patrol_tests::fuzzing::entry_or_change(data);
});
