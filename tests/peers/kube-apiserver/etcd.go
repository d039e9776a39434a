package main

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// startEtcd runs a single etcd member on free loopback ports and returns once
// it serves.
func startEtcd(data string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = data
	config.LogLevel = "fatal" // at "error" it complains of being closed
	// What a test writes need not outlive the machine.
	config.UnsafeNoFsync = true
	// Its JSON gateway would dial the advertised port, which is 0.
	config.EnableGRPCGateway = false
	anyPort := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.ListenClientUrls = anyPort
	config.AdvertiseClientUrls = anyPort
	config.ListenPeerUrls = anyPort
	config.AdvertisePeerUrls = anyPort
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("starting etcd: %w", err)
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case <-time.After(time.Minute):
		etcd.Close()
		return nil, errors.New("starting etcd: not ready within a minute")
	}
}
