package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"ktriage/internal/safe"
	"ktriage/ui"
)

// TestMain makes the test binary the programs that scripts and terminals run: the real one, and some whose screens go
// wrong.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ktriage":               func() { os.Exit(Main(os.Args[1:])) },
		"ktriage-panics":        func() { os.Exit(with(panics).run(os.Args[1:])) },
		"ktriage-panics-itself": func() { os.Exit(with(panicsItself).run(os.Args[1:])) },
		"ktriage-is-deaf":       func() { os.Exit(with(deaf).run(os.Args[1:])) },
	})
}

func with(show func(context.Context, ui.Deps) error) *program {
	p := newProgram()
	p.show, p.patience = show, 10*time.Millisecond
	return p
}

// panics is a screen one of whose goroutines panics.
func panics(ctx context.Context, _ ui.Deps) error {
	back := rawScreen()
	defer back()
	safe.Go("pump", func() { panic("boom") })
	<-ctx.Done()
	return context.Cause(ctx)
}

// panicsItself is a screen that panics where nobody catches it.
func panicsItself(context.Context, ui.Deps) error {
	rawScreen()
	panic("boom")
}

// deaf is a screen that never ends by itself.
func deaf(context.Context, ui.Deps) error {
	rawScreen()
	_, _ = os.Stderr.WriteString("a plugin complains\n")
	_, _ = os.Stdout.WriteString("ready")
	select {}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir+"/home")
			e.Setenv("TERM", "xterm-256color")
			return os.Mkdir(e.WorkDir+"/home", 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "kubeconfig": kubeconfig},
	})
}

// exits is the script command "exits CODE PROGRAM ARG...": exec, and a look at the exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("%v: exit code %d, want %d", args[1:], code, want)
	}
}

// kubeconfig is the script command "kubeconfig FILE DAYS": it makes one with the client certificate of alice, which ends in so
// many days, and a server that refuses connections.
func kubeconfig(ts *testscript.TestScript, _ bool, args []string) {
	days, err := strconv.Atoi(args[1])
	ts.Check(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	end := time.Now().Add(time.Duration(days) * 24 * time.Hour)
	own := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "alice", Organization: []string{"ops"}},
		NotBefore: end.AddDate(-1, 0, 0), NotAfter: end, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, own, own, &key.PublicKey, key)
	ts.Check(err)
	secret, err := x509.MarshalECPrivateKey(key)
	ts.Check(err)
	config := api.NewConfig()
	config.CurrentContext = "prod"
	config.Clusters["tokyo"] = &api.Cluster{Server: "https://127.0.0.1:1"}
	config.Contexts["prod"] = &api.Context{Cluster: "tokyo", AuthInfo: "alice"}
	config.AuthInfos["alice"] = &api.AuthInfo{
		ClientCertificateData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		ClientKeyData:         pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}),
	}
	ts.Check(clientcmd.WriteToFile(*config, ts.MkAbs(args[0])))
}
