// Command kube-apiserver is a real Kubernetes API server together with its
// etcd in one process, for tests that need a cluster's API but no cluster:
// nothing schedules, runs or reconciles, so every object stays as it was made.
//
// It listens on loopback only. All that it keeps (etcd's data, the serving
// certificate, the tokens and a kubeconfig for each of them) lies in one
// folder, and a server that is started again on that folder and port is the
// same server to its clients.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go's metrics on /metrics, as in the shipped server
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	data := flag.String("data", "", "folder that holds etcd's data, the certificate, the tokens and the kubeconfigs")
	port := flag.Int("port", 0, "loopback port of the API server; 0 takes a free one")
	flag.Parse()

	code, err := run(*data, *port, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "kube-apiserver:", err)
		os.Exit(1)
	}
	// Left to itself the process would outlive the command: etcd's and the
	// API server's goroutines go on.
	os.Exit(code)
}

// run starts etcd and the API server, and returns the API server's exit code
// once it has ended, which SIGTERM and SIGINT make it do. Of a flag that may be
// given more than once, such as the issuer, the API server uses the first most.
func run(data string, port int, flags []string) (int, error) {
	if data == "" {
		return 0, errors.New("usage: kube-apiserver -data FOLDER [-port PORT] [-- FLAG...]")
	}
	if port == 0 {
		var err error
		if port, err = freePort(); err != nil {
			return 0, err
		}
	}
	etcd, err := startEtcd(filepath.Join(data, "etcd"))
	if err != nil {
		return 0, err
	}
	defer etcd.Close()
	files, err := writeCredentials(data, port)
	if err != nil {
		return 0, err
	}

	go announce(port, files.certificate)
	command := app.NewAPIServerCommand()
	command.SetArgs(append(flags, []string{
		"--etcd-servers=http://" + etcd.Clients[0].Addr().String(),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + files.certificate,
		"--tls-private-key-file=" + files.key,
		"--token-auth-file=" + files.tokens,
		"--authorization-mode=RBAC",
		// One key for serving and for signing: nobody else trusts either.
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + files.key,
		"--service-account-signing-key-file=" + files.key,
		// The API server's default, and one for dual-stack services.
		"--service-cluster-ip-range=10.0.0.0/24,fd00:10:96::/112",
		"--allow-privileged=true",
		// No controller makes a "default" service account, which this plugin
		// would ask of every pod.
		"--disable-admission-plugins=ServiceAccount",
		// The slice of the service "kubernetes" would name a loopback address,
		// which the API refuses.
		"--endpoint-reconciler-type=none",
		// Ends open watches at shutdown, which else wait for a minute.
		"--shutdown-watch-termination-grace-period=1s",
	}...))
	return cli.Run(command), nil
}

// announce prints one line on standard output when the server is ready.
func announce(port int, certificate string) {
	roots := x509.NewCertPool()
	if pem, err := os.ReadFile(certificate); err == nil {
		roots.AppendCertsFromPEM(pem)
	}
	client := &http.Client{
		Timeout:   time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}
	url := fmt.Sprintf("https://127.0.0.1:%d", port)
	for ; ; time.Sleep(50 * time.Millisecond) {
		response, err := client.Get(url + "/readyz")
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			fmt.Println("ready", url)
			return
		}
	}
}

// freePort returns a loopback port that nobody listened on a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
