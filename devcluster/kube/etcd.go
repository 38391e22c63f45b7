package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

const quota = 8 << 30 // bytes

// etcd runs one member until it is told to stop. Its data need not survive the machine, so nothing is synced to disk.
func etcd(args []string) error {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	dir := flags.String("data-dir", "", "")
	client := flags.String("listen-client-url", "", "")
	peer := flags.String("listen-peer-url", "", "")
	pki := flags.String("pki-dir", "", "with ca.crt, server.crt, server.key, peer.crt and peer.key")
	_ = flags.Parse(args) // exits by itself

	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = "devcluster", *dir
	cfg.UnsafeNoFsync, cfg.QuotaBackendBytes = true, quota
	cfg.LogLevel, cfg.LogOutputs = "warn", []string{"stderr"}
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = "periodic", "5m"
	cfg.ClientTLSInfo = tls(*pki, "server")
	cfg.PeerTLSInfo = tls(*pki, "peer")
	c, err := url.Parse(*client)
	if err != nil {
		return fmt.Errorf("read --listen-client-url: %w", err)
	}
	p, err := url.Parse(*peer)
	if err != nil {
		return fmt.Errorf("read --listen-peer-url: %w", err)
	}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*c}, []url.URL{*c}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*p}, []url.URL{*p}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)

	server, err := embed.StartEtcd(cfg)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
		return nil
	case err := <-server.Err():
		return err
	}
}

func tls(dir, name string) transport.TLSInfo {
	return transport.TLSInfo{
		CertFile: dir + "/" + name + ".crt", KeyFile: dir + "/" + name + ".key",
		TrustedCAFile: dir + "/ca.crt", ClientCertAuth: true,
	}
}
