package main

import (
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
)

// users are those that the server knows by a token, each with its groups.
var users = []struct {
	name, group string
}{
	{"admin", "system:masters"},
	// May do nothing until a test binds a role to it.
	{"target-allocator", "target-allocator"},
}

// credentialFiles are the paths that the API server's flags name.
type credentialFiles struct {
	certificate, key, tokens string
}

// writeCredentials makes the serving certificate and the tokens, unless an
// earlier run left them, and writes <user>.kubeconfig for every user.
func writeCredentials(data string, port int) (credentialFiles, error) {
	files := credentialFiles{
		certificate: filepath.Join(data, "apiserver.crt"),
		key:         filepath.Join(data, "apiserver.key"),
		tokens:      filepath.Join(data, "tokens.csv"),
	}
	if err := makeCertificate(files); err != nil {
		return files, fmt.Errorf("making the certificate: %w", err)
	}
	tokens, err := readOrMakeTokens(files.tokens)
	if err != nil {
		return files, fmt.Errorf("making the tokens: %w", err)
	}
	certificate, err := os.ReadFile(files.certificate)
	if err != nil {
		return files, err
	}
	for user, token := range tokens {
		config := api.NewConfig()
		config.Clusters["peers"] = &api.Cluster{
			Server:                   fmt.Sprintf("https://127.0.0.1:%d", port),
			CertificateAuthorityData: certificate,
		}
		config.AuthInfos[user] = &api.AuthInfo{Token: token}
		config.Contexts["peers"] = &api.Context{Cluster: "peers", AuthInfo: user}
		config.CurrentContext = "peers"
		if err := clientcmd.WriteToFile(*config, filepath.Join(data, user+".kubeconfig")); err != nil {
			return files, fmt.Errorf("writing the kubeconfig of %s: %w", user, err)
		}
	}
	return files, nil
}

func makeCertificate(files credentialFiles) error {
	if _, err := os.Stat(files.certificate); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		return err
	}
	if err := cert.WriteCert(files.certificate, certificate); err != nil {
		return err
	}
	return os.WriteFile(files.key, key, 0o600)
}

// readOrMakeTokens returns each user's token. The file is in the API server's
// own format: token, user, user ID, groups.
func readOrMakeTokens(path string) (map[string]string, error) {
	tokens := map[string]string{}
	file, err := os.Open(path)
	if err == nil {
		defer file.Close()
		rows, err := csv.NewReader(file).ReadAll()
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			tokens[row[1]] = row[0]
		}
		return tokens, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}

	file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	writer := csv.NewWriter(file)
	for _, user := range users {
		tokens[user.name] = rand.Text()
		if err := writer.Write([]string{tokens[user.name], user.name, user.name, user.group}); err != nil {
			return nil, err
		}
	}
	writer.Flush()
	return tokens, writer.Error()
}
