//! See `patrol_tests::fuzzing::admission`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    patrol_tests::fuzzing::admission(data);
});
