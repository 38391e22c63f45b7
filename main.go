// Ktriage shows what is wrong in a Kubernetes cluster, in a terminal.
package main

import (
	"os"

	"ktriage/internal/cli"
)

//go:generate sh -c "go run . keys > docs/keys.md"

func main() { os.Exit(cli.Main(os.Args[1:])) }
