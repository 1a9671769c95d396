# The only door. CI calls the same targets. Options are variables: make sim SEEDS=5000, make sim SEED=17, make demo DAYS=2.

SEEDS ?= 2000
SEED ?=
DAYS ?=
CARGO ?= cargo

.PHONY: test check sim demo serve fmt purity

# Everything that must hold before a change lands. From nothing on 2 cores some 15 minutes, warm some 5.
test: check purity
	$(CARGO) test --workspace
	$(MAKE) sim SEEDS=$(SEEDS)

# Format, lints, documentation.
check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items

# Core without features knows no disk, socket, clock or thread.
purity:
	$(CARGO) check -p patrol-core --no-default-features

# Random days with every fault, replayable by seed.
sim:
	$(CARGO) run --release -p patrol-tests --bin sim -- $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

# A city at work: the server, 61 phones behind a bad network, people in browsers; then an audit. Until Ctrl-C, or a fixed span: make demo DAYS=2 SEED=7
demo:
	$(CARGO) run --release -p patrol-tests --bin demo -- $(if $(DAYS),--days $(DAYS)) $(if $(SEED),--seed $(SEED))

# The server with Zhuhai's directory, on http://127.0.0.1:8080.
serve:
	$(CARGO) run --release -p patrol-server -- --plain-cookies --directory server/data/zhuhai

fmt:
	$(CARGO) fmt --all
