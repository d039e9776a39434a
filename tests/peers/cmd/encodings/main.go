// Command encodings answers random objects of the kinds that an API server
// knows itself, encoded by Kubernetes' own library, as three API servers:
//
//	json      in JSON, whatever is asked for
//	protobuf  in protobuf, whatever is asked for
//	later     in JSON, as the objects are later
//
//	encodings -seed N -count N -folder DIR
//
// The first two list the objects as they are at first, once and in two pages,
// and tell in a watch how they become what they are later. Every list is long
// enough to be worth a watch. DIR gets a kubeconfig for each, named as above,
// and last the file ready.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/meta"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/randfill"
)

// kind is one that an API server encodes in protobuf.
type kind struct {
	path         string
	version      schema.GroupVersion
	object, list func() runtime.Object
}

func of[O, L any, PO interface {
	*O
	runtime.Object
}, PL interface {
	*L
	runtime.Object
}](version schema.GroupVersion, plural string) kind {
	folder := "/apis/" + version.String()
	if version.Group == "" {
		folder = "/api/" + version.Version
	}
	return kind{
		path: folder + "/" + plural, version: version,
		object: func() runtime.Object { return PO(new(O)) },
		list:   func() runtime.Object { return PL(new(L)) },
	}
}

var kinds = []kind{
	of[corev1.Namespace, corev1.NamespaceList](corev1.SchemeGroupVersion, "namespaces"),
	of[corev1.Node, corev1.NodeList](corev1.SchemeGroupVersion, "nodes"),
	of[corev1.Pod, corev1.PodList](corev1.SchemeGroupVersion, "pods"),
	of[corev1.Service, corev1.ServiceList](corev1.SchemeGroupVersion, "services"),
	of[corev1.Endpoints, corev1.EndpointsList](corev1.SchemeGroupVersion, "endpoints"),
	of[discoveryv1.EndpointSlice, discoveryv1.EndpointSliceList](discoveryv1.SchemeGroupVersion, "endpointslices"),
	of[networkingv1.Ingress, networkingv1.IngressList](networkingv1.SchemeGroupVersion, "ingresses"),
	of[appsv1.ReplicaSet, appsv1.ReplicaSetList](appsv1.SchemeGroupVersion, "replicasets"),
	of[batchv1.Job, batchv1.JobList](batchv1.SchemeGroupVersion, "jobs"),
}

// Versions of the lists at first and later.
const first, later = "100", "200"

// world is what there is of a kind, and what becomes of it.
type world struct {
	kind
	first, later []runtime.Object
	events       []event
}

type event struct {
	kind   string
	object runtime.Object
}

func (k kind) world(filler *randfill.Filler, dice *rand.Rand, count int) world {
	made := world{kind: k}
	for number := range count {
		object, turn := k.random(filler, number), dice.Intn(4)
		if turn != 0 {
			made.first = append(made.first, object)
		}
		switch turn {
		case 0:
			made.later = append(made.later, object)
			made.events = append(made.events, event{"ADDED", object})
		case 1:
			changed := k.random(filler, number)
			made.later = append(made.later, changed)
			made.events = append(made.events, event{"MODIFIED", changed})
		case 2:
			made.events = append(made.events, event{"DELETED", object})
		default:
			made.later = append(made.later, object)
		}
	}
	bookmark := k.object()
	accessor(bookmark).SetResourceVersion(later)
	made.events = append(made.events, event{"BOOKMARK", bookmark})
	return made
}

func (k kind) random(filler *randfill.Filler, number int) runtime.Object {
	object := k.object()
	filler.Fill(object)
	named := accessor(object)
	named.SetName(fmt.Sprintf("object-%d", number))
	named.SetNamespace(fmt.Sprintf("namespace-%d", number%7))
	named.SetResourceVersion("150")
	annotations := named.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations["padding"] = strings.Repeat("x", 2000)
	named.SetAnnotations(annotations)
	return object
}

func accessor(object runtime.Object) metav1.Object {
	accessor, err := meta.Accessor(object)
	if err != nil {
		log.Fatal(err)
	}
	return accessor
}

// server answers in one encoding.
type server struct {
	worlds  map[string]world
	info    runtime.SerializerInfo
	isLater bool

	mutex  sync.Mutex
	listed map[string]bool
}

func (s *server) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	world, known := s.worlds[request.URL.Path]
	query := request.URL.Query()
	var err error
	switch {
	case request.URL.Path == "/apis":
		err = json.NewEncoder(answer).Encode(groups())
	case !known:
		http.NotFound(answer, request)
	case query.Get("watch") != "":
		err = s.watch(answer, request, world)
	case query.Get("limit") == "1":
		err = s.version(answer, world)
	case s.isLater:
		err = s.list(answer, world, world.later, "")
	case query.Get("continue") != "":
		err = s.list(answer, world, world.first[len(world.first)/2:], "")
	default:
		s.mutex.Lock()
		again := s.listed[world.path]
		s.listed[world.path] = true
		s.mutex.Unlock()
		if again {
			err = errors.New("listed again, not watched")
		} else {
			err = s.list(answer, world, world.first[:len(world.first)/2], "the rest")
		}
	}
	if err != nil {
		log.Printf("%s: %s", request.URL, err)
		http.Error(answer, err.Error(), http.StatusInternalServerError)
	}
}

// groups are the API groups that Kubernetes itself has. Monitors are not among them.
func groups() metav1.APIGroupList {
	list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for _, version := range scheme.Scheme.PrioritizedVersionsAllGroups() {
		if version.Group != "" {
			found := metav1.GroupVersionForDiscovery{GroupVersion: version.String(), Version: version.Version}
			list.Groups = append(list.Groups, metav1.APIGroup{Name: version.Group, Versions: []metav1.GroupVersionForDiscovery{found}})
		}
	}
	return list
}

func (s *server) encoder(serializer runtime.Serializer, world world) runtime.Encoder {
	return scheme.Codecs.EncoderForVersion(serializer, world.version)
}

func (s *server) list(answer http.ResponseWriter, world world, objects []runtime.Object, next string) error {
	list := world.kind.list()
	if err := meta.SetList(list, objects); err != nil {
		return err
	}
	interfaced, err := meta.ListAccessor(list)
	if err != nil {
		return err
	}
	interfaced.SetResourceVersion(first)
	interfaced.SetContinue(next)
	answer.Header().Set("Content-Type", s.info.MediaType)
	return s.encoder(s.info.Serializer, world).Encode(list, answer)
}

// version answers an empty list of the version that the store has now.
func (s *server) version(answer http.ResponseWriter, world world) error {
	kinds, _, err := scheme.Scheme.ObjectKinds(world.kind.list())
	if err != nil {
		return err
	}
	answer.Header().Set("Content-Type", "application/json")
	const list = `{"kind": %q, "apiVersion": %q, "metadata": {"resourceVersion": %q}, "items": []}`
	_, err = fmt.Fprintf(answer, list, kinds[0].Kind, kinds[0].GroupVersion().String(), later)
	return err
}

// watch tells what becomes of the objects, and is silent then.
func (s *server) watch(answer http.ResponseWriter, request *http.Request, world world) error {
	answer.Header().Set("Content-Type", s.info.MediaType+";stream=watch")
	frames := s.info.StreamSerializer.Framer.NewFrameWriter(answer)
	for _, event := range world.events {
		raw, err := runtime.Encode(s.encoder(s.info.Serializer, world), event.object)
		if err != nil {
			return err
		}
		told := &metav1.WatchEvent{Type: event.kind, Object: runtime.RawExtension{Raw: raw}}
		frame, err := runtime.Encode(s.info.StreamSerializer.Serializer, told)
		if err != nil {
			return err
		}
		if _, err := frames.Write(frame); err != nil {
			return err
		}
	}
	answer.(http.Flusher).Flush()
	<-request.Context().Done()
	return nil
}

const kubeconfig = `{apiVersion: v1, kind: Config, current-context: a, clusters: [{name: a, cluster: {server: "http://%s"}}], ` +
	`users: [{name: a, user: {}}], contexts: [{name: a, context: {cluster: a, user: a}}]}`

// serve answers on a port of its own.
func serve(folder, name, mediaType string, worlds map[string]world) error {
	info, found := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), mediaType)
	if !found {
		return fmt.Errorf("no serializer for %s", mediaType)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &server{worlds: worlds, info: info, isLater: name == "later", listed: map[string]bool{}}
	go func() { log.Fatal(http.Serve(listener, server)) }()
	return os.WriteFile(filepath.Join(folder, name), fmt.Appendf(nil, kubeconfig, listener.Addr()), 0o600)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("encodings: ")
	seed := flag.Int64("seed", 1, "what the objects are made from")
	count := flag.Int("count", 300, "objects of each kind")
	folder := flag.String("folder", "", "where the kubeconfigs go")
	flag.Parse()

	source := rand.NewSource(*seed)
	filler := fuzzer.FuzzerFor(metafuzzer.Funcs, source, scheme.Codecs).NumElements(0, 3).MaxDepth(12)
	worlds := map[string]world{}
	for _, kind := range kinds {
		worlds[kind.path] = kind.world(filler, rand.New(source), *count)
	}
	for name, mediaType := range map[string]string{
		"json": runtime.ContentTypeJSON, "protobuf": runtime.ContentTypeProtobuf, "later": runtime.ContentTypeJSON,
	} {
		if err := serve(*folder, name, mediaType, worlds); err != nil {
			log.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(*folder, "ready"), nil, 0o600); err != nil {
		log.Fatal(err)
	}
	select {}
}
