// Command load creates Kubernetes objects in an API server with their status,
// which kubectl does not. Paths are files or folders of manifests (YAML, JSON,
// Lists), and are loaded in the order given.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"target-allocator.test/peers/internal/objects"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("load: ")
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig of the API server")
	tolerate := flag.Bool("tolerate-refused", false, "succeed though the API server refuses some objects")
	flag.Parse()

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	creator, err := objects.NewCreator(config)
	if err != nil {
		log.Fatal(err)
	}
	var created int
	var refused []error
	for _, path := range flag.Args() {
		all, err := objects.Read(path)
		if err != nil {
			log.Fatal(err)
		}
		errs := creator.Create(context.Background(), all)
		created += len(all) - len(errs)
		refused = append(refused, errs...)
	}
	for _, err := range refused {
		log.Print(err)
	}
	fmt.Printf("%d objects created, %d refused\n", created, len(refused))
	if len(refused) > 0 && !*tolerate {
		log.Fatal("some objects were refused")
	}
}
