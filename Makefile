# hopluu: `make help` lists the targets.

SHELL := /bin/bash
GO ?= go
# Never from the cache: servers and their timing are no input that Go knows of.
# Packages are tested side by side; the integration packages start servers of
# their own and wait much of their time, so three at a time is what two cores bear.
TEST_FLAGS ?= -count=1 -p 3 -timeout 18m
# The longest suites begin first, so that none of them is left alone at the end.
LONGEST := ./integration/sink ./integration/capture ./integration/commandline ./integration/reconcile
# Where bench-splink keeps its virtual environment and its files.
SPLINK = $(or $(DIR),bin/splink)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## Run everything on this machine with source systems that keep changing (DEMO_EXIT=1: a fixed load, compared, then end)
	@bin/hopluu dev $(if $(DEMO_EXIT),--exit)

.PHONY: demo-clean
demo-clean: build ## Remove the demonstration's data
	@bin/hopluu dev clean

.PHONY: build
build: ## Build bin/hopluu
	@$(GO) build -o bin/hopluu ./cmd/hopluu

.PHONY: test
test: ## Run all tests on real PostgreSQL, Kafka and ClickHouse's engine (fetches and starts what they need)
	$(GO) vet ./...
	$(GO) test $(TEST_FLAGS) $(LONGEST) ./...

.PHONY: trace
trace: ## Trace a figure of every mart to its rows, and count it again over them ('make test' takes four marts)
	HOPLUU_TEST_TRACE=all $(GO) test ./integration/sink -run TestIndicatorsOfASmallCity -count=1

.PHONY: race
race: ## Run the unit tests under the race detector
	$(GO) test -race -timeout 15m $$($(GO) list ./... | grep -v /integration)

.PHONY: lint
lint: ## gofmt, vet and staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these files"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

.PHONY: generate
generate: ## Make the generated files again
	$(GO) generate ./...

.PHONY: verify
verify: lint generate ## Lint, generate, clean diff, race tests, all tests
	git diff --exit-code
	$(MAKE) race
	$(MAKE) test

.PHONY: bench
bench: ## A benchmark a stage: rows/s, CPU seconds a million rows, peak memory
	$(GO) test -run '^$$' -bench . -benchtime 2s ./schemas/... ./connectors/... ./processors/... ./sinks/...
	$(GO) run ./integration/bench

.PHONY: bench-capture
bench-capture: ## Capture beside pg_recvlogical and Debezium: rows/s, CPU, memory, latency (RUNS, ARGS; see integration/bench/peers)
	$(GO) run ./integration/bench/peers -runs $(or $(RUNS),3) $(ARGS)

.PHONY: bench-identity
bench-identity: ## The matcher alone and through the topics, one and two of them: records/s, CPU seconds a million, memory (PEOPLE)
	GOGC=50 $(GO) test -run '^$$' -bench Incremental -benchtime 1x ./processors/identity/linkage
	GOGC=50 HOPLUU_BENCH_PEOPLE=$(PEOPLE) $(GO) test -run '^$$' -bench ThroughTopics -benchtime 1x -timeout 60m ./integration/matcher

.PHONY: bench-sink
bench-sink: ## The sink beside clickhouse-go alone into the same tables: rows/s, CPU, memory; commit to silver (ROWS, RUNS, ARGS)
	$(GO) run ./integration/bench/sink -rows $(or $(ROWS),1000000) -runs $(or $(RUNS),3) $(ARGS)

.PHONY: bench-splink
bench-splink: ## One generated city linked by hopluu and by Splink 5, side by side: errors, seconds, records/s (PEOPLE, SEED; DIR keeps its files)
	mkdir -p $(SPLINK)
	$(GO) build -o $(SPLINK)/hopluu ./cmd/hopluu
	$(GO) run ./integration/accuracy -export $(SPLINK)/people -persons $(or $(PEOPLE),103000) -seed $(or $(SEED),7)
	test -x $(SPLINK)/python/bin/python || python3 -m venv $(SPLINK)/python
	$(SPLINK)/python/bin/pip install --quiet splink==5.0.0 pandas
	$(SPLINK)/python/bin/python -B integration/bench/splink/compare.py $(SPLINK)/people --hopluu $(SPLINK)/hopluu

.PHONY: accuracy
accuracy: ## How right the linkage of records to people is, on a generated city (PERSONS, SEED, RATE)
	$(GO) test ./integration/accuracy -run TestHardCases -count=1 -v | grep -v '^=== '
	$(GO) run ./integration/accuracy -persons $(or $(PERSONS),1000000) -seed $(or $(SEED),2) -rate $(or $(RATE),1) -ablate

.PHONY: crash
crash: ## Kill 200 processes of the whole stack, up to three at once, and compare after every GROUP of 15 (KILLS, SEED)
	$(GO) test ./integration/crash -v -timeout 120m -kills $(or $(KILLS),200) -seed $(or $(SEED),0) -group $(or $(GROUP),15) -persons 2000

.PHONY: soak
soak: ## A steady load with a table replayed and exchanged in its middle: lag returns, memory flat, reconcile agrees (MINUTES=20, RATE, ARGS; soak.json)
	$(GO) run ./integration/soak -minutes $(or $(MINUTES),20) -rate $(or $(RATE),300) $(ARGS)

.PHONY: crash-capture
crash-capture: ## Kill a connector 200 times over snapshot and stream, its servers too, and count every event with franz-go and kcat (KILLS, SEED)
	$(GO) test ./integration/crash/capture -v -timeout 180m -kcat -kills $(or $(KILLS),200) -seed $(or $(SEED),0)

.PHONY: fuzz
fuzz: ## Fuzz every decoder, one after another (FUZZTIME=60s each; FUZZ=packages)
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; set -o pipefail; for p in $$($(GO) list $(or $(FUZZ),./...)); do \
	  list=$$($(GO) test -list '^Fuzz' $$p) || exit 1; \
	  for f in $$(grep '^Fuzz' <<<"$$list"); do echo "$$p $$f"; \
	    $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(or $(FUZZTIME),60s) -fuzzminimizetime 5s -parallel 1 $$p 2>&1 | tee "$$log" || \
	      { grep -q 'context deadline exceeded' "$$log" && ! grep -q 'Failing input' "$$log"; } || exit 1; done; done # its own time ran out: no finding
