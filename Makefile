# The only door. CI calls the same targets. Options are variables: make sim SEEDS=5000, make sim SEED=17, make demo DAYS=2.

SEEDS ?= 2000
SEED ?=
FIRST ?=
DAYS ?=
CARGO ?= cargo
PYTHON ?= python3
TARGET := $(or $(CARGO_TARGET_DIR),target)
LIBRARY := $(TARGET)/debug/libpatrol_bindings.$(if $(filter Darwin,$(shell uname)),dylib,so)

.PHONY: demo test check sim reach bench proof mutants bindings smoke serve fmt purity needs

# Everything that must hold before a change lands. From nothing on 2 cores some 45 minutes, half of it for two builds of what is depended on; warm some 15.
test: needs check purity
	$(CARGO) test --workspace
	$(MAKE) smoke
	$(MAKE) sim SEEDS=$(SEEDS)
	$(MAKE) reach

# What is needed beside Rust; installs it on Debian.
needs:
	./tests/needs.sh

# Format, lints, documentation; and that the fuzzers' doors to their targets still fit, which no other build looks at (without libFuzzer itself,
# which wants a C++ compiler, and with the versions of everything else; two minutes from nothing), and that the tool for mutants does what it says.
check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	cp Cargo.lock tests/fuzz/Cargo.lock
	$(CARGO) check --manifest-path tests/fuzz/Cargo.toml --no-default-features --target-dir $(TARGET)
	$(CARGO) test --manifest-path tests/mutants/Cargo.toml --target-dir $(TARGET)/mutants
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items

# Core without features knows no disk, socket, clock or thread; and what phones are built of says itself what it needs.
purity:
	$(CARGO) check -p patrol-core --no-default-features
	$(CARGO) check -p patrol-bindings

# A city at work: the server, 97 phones behind a bad network, people at their desks. Until Ctrl-C, or make demo DAYS=2 SEED=7.
demo: needs
	$(CARGO) run --release -p patrol-tests --bin demo -- $(if $(DAYS),--days $(DAYS)) --seed $(or $(SEED),1)

# Random days with every fault, replayable by seed. FIRST=7501 begins with that seed.
sim:
	$(CARGO) run --release -p patrol-tests --bin sim -- $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --first $(or $(FIRST),1))

# A bounded share of what server and phone must reach. Times may be four times as bad, for the machine may do other things; sizes may not.
reach:
	$(CARGO) build --release -p patrol-server -p patrol-tests --bins
	$(TARGET)/release/proof scale --cases 2000 --phones 200 --seconds 20 --slack 4
	$(TARGET)/release/bench bytes --slack 1
	for part in device components line; do $(TARGET)/release/bench $$part --slack 4 || exit 1; done

# What is measured, beside its budget; all parts also as $(TARGET)/bench.json. Files lie in TMPDIR: on a disk, for in memory no fsync takes time. PART=bytes, line, server, device, components or growth for one part.
bench:
	$(CARGO) run --release -p patrol-tests --bin bench -- $(PART) --seed $(or $(SEED),7)

# The long runs of docs/proof.md, many hours: each part, whatever became of those before it; at the end, which failed. PART=kills, power, walk,
# scale, growth, hostile, soak, inputs or sim for one of them; sim begins with the seed FIRST=. As root, or walk leaves out what must be mounted,
# and says so. Files lie in TMPDIR: on a disk, with 12 GB of room for growth and 2 GB for the others.
proof: needs
	$(CARGO) build --release -p patrol-server -p patrol-tests
	failed=; for part in $(or $(PART),kills power walk scale growth hostile soak inputs sim); do \
	    case $$part in \
	        sim) $(TARGET)/release/sim --seeds 100000 --first $(or $(FIRST),1) ;; \
	        *) $(TARGET)/release/proof $$part --seed $(or $(SEED),7) ;; \
	    esac || failed="$$failed $$part"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

# Whether some test would fail without each condition and statement of what lets something in (tests/mutants); hours. What is left has its reason in
# tests/mutants/left.txt, or the run fails. BUDGET= seconds of tests for each, FILES= for others than those of tests/mutants/src/places.rs.
mutants: needs
	$(CARGO) run --release --manifest-path tests/mutants/Cargo.toml --target-dir $(TARGET)/mutants -- \
	    $(TARGET)/mutants/run $(or $(BUDGET),60) $(FILES)

# The phone's core for Python, Kotlin and Swift, in $(TARGET)/bindings. The generator is built first, because it leaves a
# library behind that carries the generator's own baggage. Of the whole workspace, so that what the tests have built is not built again.
bindings:
	$(CARGO) build --workspace --features patrol-bindings/bindgen --bin uniffi-bindgen
	$(CARGO) build --workspace
	for language in python kotlin swift; do \
	    $(TARGET)/debug/uniffi-bindgen generate $(LIBRARY) --language $$language --no-format \
	        --out-dir $(TARGET)/bindings/$$language || exit 1; \
	done
	cp $(LIBRARY) $(TARGET)/bindings/python/

# One case from a phone to the office and back, from Python, against the real server.
smoke: bindings
	$(PYTHON) -B bindings/python/smoke.py --module $(TARGET)/bindings/python --server $(TARGET)/debug/patrol-server \
	    --directory server/data/zhuhai

# The server with Zhuhai's directory and made-up people, on http://127.0.0.1:8080.
serve:
	$(CARGO) run --release -p patrol-server -- --plain-cookies --directory server/data/zhuhai --synthetic-people

fmt:
	$(CARGO) fmt --all
