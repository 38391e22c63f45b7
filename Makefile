# Every target is one thing that can be typed by hand. `make demo` and `make test` set up what they need on a machine
# that has Go, make, git and gcc.

KUBE_VERSION := v1.36.3
VERSION_FLAGS := -X k8s.io/component-base/version.gitVersion=$(KUBE_VERSION) \
	-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36
SOURCES := $(shell find main.go ui views kube keymap themes internal -name '*.go') go.mod go.sum
DEVSOURCES := $(shell find devcluster -name '*.go' -o -name '*.yaml') devcluster/go.mod devcluster/go.sum

# Static binaries: they run on any machine, and building needs no C compiler.
export CGO_ENABLED ?= 0

.PHONY: build devcluster demo test check lint race bench bench-scale bench-events gen screenshots clean

build: bin/ktriage

bin/ktriage: $(SOURCES)
	go build -trimpath -ldflags '-s -w' -o $@ .

devcluster: bin/devcluster bin/devcluster-kube bin/devcluster-kwok

bin/devcluster: $(DEVSOURCES)
	cd devcluster && go build -ldflags '-s -w' -o ../$@ .

bin/devcluster-kube: $(wildcard devcluster/kube/*.go) devcluster/go.mod devcluster/go.sum
	@echo 'building the Kubernetes control plane from its modules; the first time this takes several minutes' >&2
	cd devcluster && go build -ldflags '-s -w $(VERSION_FLAGS)' -o ../$@ ./kube

bin/devcluster-kwok: devcluster/go.mod devcluster/go.sum
	cd devcluster && go build -ldflags '-s -w' -o ../$@ sigs.k8s.io/kwok/cmd/kwok

# A real cluster with everything that goes wrong in real life, and ktriage on it.
demo: build devcluster
	@devcluster/demo.sh

# The quick part, in under a minute: formatting, vet, the rules of the repository, and every test that needs no cluster.
check:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'not formatted: run gofmt -w'; exit 1; }
	go vet ./...
	go test $$(go list ./... | grep -v /internal/e2e)

# Everything: with the race detector, devcluster's own tests, and the tests against the real cluster.
test: build devcluster
	go vet ./... && cd devcluster && go vet ./...
	CGO_ENABLED=1 go test -race -timeout 10m $$(go list ./... | grep -v /internal/e2e)
	cd devcluster && go test -timeout 10m ./...
	go test -timeout 40m -count=1 -v ./internal/e2e

race:
	CGO_ENABLED=1 go test -race $$(go list ./... | grep -v /internal/e2e)

lint:
	go tool -modfile=tools/go.mod golangci-lint run
	cd devcluster && go tool -modfile=../tools/go.mod golangci-lint run

bench:
	go test -run xxx -bench . -benchmem ./internal/table ./kube ./internal/text

# What the real program costs on a real big cluster, and how quick it is: about half an hour. A size of your own, such as
# NODES=1000 PODS=30000, is measured alone, and only printed.
NODES ?= 5000
PODS ?= 150000
ifeq ($(NODES)/$(PODS),5000/150000)
SCALE := -sizes 50/1500,500/15000,$(NODES)/$(PODS) -out docs/performance.md
else
SCALE := -nodes $(NODES) -pods $(PODS)
endif

bench-scale: build devcluster
	go run ./internal/scale -program bin/ktriage -devcluster bin/devcluster -dir dist/scale $(SCALE)

# What a storm of 5,000 events a second for a minute costs, in both panes, with keys pressed meanwhile: about ten minutes.
bench-events: build devcluster
	go run ./internal/scale -program bin/ktriage -devcluster bin/devcluster -dir dist/scale -only events -nodes 500 -pods 15000 -out docs/performance.md

# What is made from the program itself: the tables of keys and of filters, and the screenshots. The tests say when it is stale.
gen:
	go run . keys > docs/keys.md
	go run . filters > docs/filter.md

screenshots: build devcluster
	bin/devcluster up --scenario incident --dir dist/screens
	KUBECONFIG=dist/screens/admin.conf go run ./internal/screenshot -program bin/ktriage -out docs/screens
	bin/devcluster down --dir dist/screens

clean:
	rm -rf bin dist
