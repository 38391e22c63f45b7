# Every target is one thing that can be typed by hand. `make demo` and `make test` set up what they need on a machine
# that has Go, make, git and gcc.

KUBE_VERSION := v1.36.3
VERSION_FLAGS := -X k8s.io/component-base/version.gitVersion=$(KUBE_VERSION) \
	-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36
SOURCES := $(shell find main.go ui views kube keymap themes internal -name '*.go') go.mod go.sum
DEVSOURCES := $(shell find devcluster -name '*.go' -o -name '*.yaml') devcluster/go.mod devcluster/go.sum

# Static binaries: they run on any machine, and building needs no C compiler.
export CGO_ENABLED ?= 0

.PHONY: build devcluster demo test check lint race bench gen clean

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

