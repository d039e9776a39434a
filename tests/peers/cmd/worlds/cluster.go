package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"target-allocator.test/peers/internal/objects"
)

// clusterMonitors are the monitors of every cluster.
//
//go:embed cluster_monitors.yaml
var clusterMonitors []byte

// app is what a namespace runs several pods of, and how they can be reached.
type app struct {
	name       string
	namespaces []string
	pods       int
	// ports are those of the main container and of the service. One without a
	// name is the only one.
	ports []port
	// owner is the kind of the pods' controller.
	owner string

	headless, dualStack, hostNetwork, sidecars, finishes bool
	// endpoints has the pods in Endpoints too, as before there were slices.
	endpoints bool
	// slices is over how many slices the pods are spread.
	slices int
}

type port struct {
	name   string
	number int32
}

var apps = []app{
	{name: "web", namespaces: []string{"shop", "team-a", "team-b"}, pods: 4, owner: "ReplicaSet", slices: 2,
		ports: []port{{"web", 8080}, {"metrics", 9090}}, endpoints: true},
	{name: "api", namespaces: []string{"shop", "team-b"}, pods: 3, owner: "ReplicaSet", slices: 1,
		ports: []port{{"web", 8080}}, dualStack: true},
	{name: "db", namespaces: []string{"shop", "team-a"}, pods: 3, owner: "StatefulSet", slices: 1,
		ports: []port{{"", 5432}}, headless: true, endpoints: true},
	{name: "agent", namespaces: []string{"shop"}, pods: 5, owner: "DaemonSet", slices: 1,
		ports: []port{{"metrics", 9100}}, hostNetwork: true},
	{name: "mesh", namespaces: []string{"team-a", "team-b"}, pods: 4, owner: "ReplicaSet", slices: 1,
		ports: []port{{"web", 8080}}, sidecars: true},
	{name: "batch", namespaces: []string{"team-a", "team-b"}, pods: 5, owner: "Job", slices: 1,
		ports: []port{{"metrics", 9400}}, finishes: true},
}

// world collects the objects of a cluster.
type world struct {
	*dice
	all      []*unstructured.Unstructured
	nodes    []*corev1.Node
	pods     int
	services int
}

// clusterWorld makes a cluster.
func clusterWorld(d *dice) ([]*unstructured.Unstructured, error) {
	w := &world{dice: d}
	for _, name := range []string{"monitoring", "shop", "team-a", "team-b"} {
		w.add("v1", "Namespace", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"tier": next(d, "tier", "ops", "prod", "dev")},
		}})
	}
	w.makeNodes()
	w.makeCollectors()
	for _, app := range apps {
		for _, namespace := range app.namespaces {
			w.makeApp(&app, namespace)
		}
	}
	w.makeOddities()

	monitors, err := objects.Parse(clusterMonitors)
	return append(w.all, monitors...), err
}

// add adds an object of a kind.
func (w *world) add(apiVersion, kind string, made runtime.Object) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(made)
	if err != nil {
		panic(err) // the types of the API can all be converted
	}
	object := &unstructured.Unstructured{Object: fields}
	object.SetAPIVersion(apiVersion)
	object.SetKind(kind)
	w.all = append(w.all, object)
}

// makeNodes makes nodes in two zones and two in none.
func (w *world) makeNodes() {
	for i := range 6 {
		name := fmt.Sprintf("node-%d", i)
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{
				Name:        name,
				Labels:      map[string]string{"kubernetes.io/hostname": name, "node.kubernetes.io/pool-A": ""},
				Annotations: map[string]string{"example.com/rack": fmt.Sprint(i % 2)},
			},
			Spec: corev1.NodeSpec{ProviderID: "aws:///eu-west-1/i-" + name},
			Status: corev1.NodeStatus{
				Addresses: []corev1.NodeAddress{
					{Type: corev1.NodeHostName, Address: name},
					{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.0.1.%d", i+1)},
					{Type: corev1.NodeExternalIP, Address: fmt.Sprintf("192.0.2.%d", i+1)},
				},
				DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}},
			},
		}
		if i < 4 {
			node.Labels["topology.kubernetes.io/zone"] = fmt.Sprintf("eu-west-1%c", 'a'+i%2)
		}
		w.nodes = append(w.nodes, node)
		w.add("v1", "Node", node)
	}
}

// makeCollectors makes the collectors: four that take part, on nodes of their
// own, and three that do not.
func (w *world) makeCollectors() {
	for i := range 4 {
		w.makeCollector(fmt.Sprintf("otel-collector-%d", i), w.nodes[i].Name, corev1.PodRunning, corev1.ConditionTrue)
	}
	w.makeCollector("otel-collector-failed", "node-4", corev1.PodFailed, corev1.ConditionFalse)
	w.makeCollector("otel-collector-pending", "", corev1.PodPending, corev1.ConditionFalse)
	w.makeCollector("otel-collector-unready", "node-5", corev1.PodRunning, corev1.ConditionFalse)
}

func (w *world) makeCollector(name, node string, phase corev1.PodPhase, ready corev1.ConditionStatus) {
	pod := w.newPod("monitoring", name, node)
	pod.Labels = map[string]string{"app": "otel-collector"}
	pod.Spec.Containers = []corev1.Container{container("otc", []port{{"metrics", 8888}})}
	setStatus(pod, phase, ready)
	if phase == corev1.PodPending {
		pod.Status.PodIP, pod.Status.PodIPs, pod.Status.HostIP = "", nil, ""
	}
	w.add("v1", "Pod", pod)
}

// makeApp makes an app's pods, its service, and what leads to its pods.
func (w *world) makeApp(app *app, namespace string) {
	var pods []*corev1.Pod
	for i := range app.pods {
		pod := w.makePod(app, namespace, i)
		w.add("v1", "Pod", pod)
		if pod.Status.PodIP != "" {
			pods = append(pods, pod)
		}
	}
	w.makeService(app, namespace)
	w.makeSlices(app, namespace, pods)
	if app.endpoints {
		w.makeEndpoints(app, namespace, pods)
	}
}

func (w *world) makePod(app *app, namespace string, i int) *corev1.Pod {
	node := next(w.dice, "node", w.nodes...)
	pod := w.newPod(namespace, fmt.Sprintf("%s-%d", app.name, i), node.Name)
	pod.Labels = map[string]string{
		"app":                    app.name,
		"app.kubernetes.io/name": app.name,
		"version":                next(w.dice, "version", "v1", "v2", ""),
	}
	if w.chance(0.5) {
		pod.Annotations = map[string]string{"prometheus.io/scrape": "true", "example.com/note": "a \"quoted\"\nünï"}
	}
	pod.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: app.owner, Name: app.name + "-5d9f8b7c6", UID: types.UID(namespace + "-" + app.name), Controller: new(true),
	}}
	pod.Spec.Containers = []corev1.Container{container(app.name, app.ports)}
	if app.hostNetwork {
		// Pods on one node share its address.
		pod.Spec.HostNetwork = true
		pod.Spec.Containers[0].Ports[0].HostPort = app.ports[0].number
		pod.Status.PodIP = pod.Status.HostIP
		pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.HostIP}}
	}
	if app.dualStack {
		pod.Status.PodIPs = append(pod.Status.PodIPs, corev1.PodIP{IP: sixOf(pod.Status.PodIP)})
	}
	if app.sidecars {
		sidecar := container("proxy", []port{{"proxy-metrics", 15020}})
		sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		pod.Spec.InitContainers = []corev1.Container{container("setup", nil), sidecar}
		pod.Spec.Containers = append(pod.Spec.Containers, container("logs", nil))
	}

	phase, ready := corev1.PodRunning, corev1.ConditionTrue
	switch {
	case app.finishes:
		phase = next(w.dice, "finished", corev1.PodSucceeded, corev1.PodRunning, corev1.PodFailed)
	case i == 1:
		ready = corev1.ConditionFalse
	case i == 2:
		pod.DeletionTimestamp = new(metav1.Now())
	case i == 3 && !app.hostNetwork:
		phase, ready = corev1.PodPending, corev1.ConditionFalse
		if w.chance(0.5) {
			pod.Status.PodIP, pod.Status.PodIPs = "", nil
		}
	}
	setStatus(pod, phase, ready)
	return pod
}

// newPod makes a pod with addresses of its own.
func (w *world) newPod(namespace, name, node string) *corev1.Pod {
	w.pods++
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.PodSpec{NodeName: node},
		Status:     corev1.PodStatus{PodIP: fmt.Sprintf("10.2.%d.%d", w.pods/200, w.pods%200+1)},
	}
	pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}}
	for _, known := range w.nodes {
		if known.Name == node {
			pod.Status.HostIP = known.Status.Addresses[1].Address
		}
	}
	return pod
}

func container(name string, ports []port) corev1.Container {
	made := corev1.Container{Name: name, Image: "registry.example/" + name + ":1.2"}
	for _, port := range ports {
		made.Ports = append(made.Ports, corev1.ContainerPort{Name: port.name, ContainerPort: port.number})
	}
	return made
}

// setStatus says how a pod and its containers are, and since when: long ago.
func setStatus(pod *corev1.Pod, phase corev1.PodPhase, ready corev1.ConditionStatus) {
	since := metav1.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pod.Status.Phase = phase
	pod.Status.StartTime = &since
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: since}}
	statuses := func(containers []corev1.Container) []corev1.ContainerStatus {
		var all []corev1.ContainerStatus
		for _, container := range containers {
			all = append(all, corev1.ContainerStatus{
				Name: container.Name, Image: container.Image, Ready: ready == corev1.ConditionTrue,
				ContainerID: "containerd://" + pod.Name + "-" + container.Name,
			})
		}
		return all
	}
	pod.Status.ContainerStatuses = statuses(pod.Spec.Containers)
	pod.Status.InitContainerStatuses = statuses(pod.Spec.InitContainers)
}

// sixOf makes an IPv6 address of an IPv4 address.
func sixOf(address string) string { return "fd00::" + strings.ReplaceAll(address, ".", ":") }

func (w *world) makeService(app *app, namespace string) {
	w.services++
	service := &corev1.Service{
		ObjectMeta: w.serviceMeta(app, namespace),
		Spec: corev1.ServiceSpec{
			Selector:  map[string]string{"app": app.name},
			ClusterIP: fmt.Sprintf("10.0.0.%d", 10+w.services),
		},
	}
	if app.headless {
		service.Spec.ClusterIP = corev1.ClusterIPNone
	}
	if app.dualStack {
		service.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyRequireDualStack)
		service.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
		service.Spec.ClusterIPs = []string{service.Spec.ClusterIP, fmt.Sprintf("fd00:10:96::%x", 10+w.services)}
		// Only the slices of a service's first family lead to targets.
		if namespace == "team-b" {
			slices.Reverse(service.Spec.IPFamilies)
			slices.Reverse(service.Spec.ClusterIPs)
			service.Spec.ClusterIP = service.Spec.ClusterIPs[0]
		}
	}
	for i, port := range app.ports {
		made := corev1.ServicePort{Name: port.name, Port: int32(80 + i), TargetPort: intstr.FromString(port.name)}
		if port.name == "" {
			made.TargetPort = intstr.FromInt32(port.number)
		}
		if app.name == "web" {
			service.Spec.Type = corev1.ServiceTypeLoadBalancer
			made.NodePort = int32(30000 + 10*w.services + i)
		}
		service.Spec.Ports = append(service.Spec.Ports, made)
	}
	w.add("v1", "Service", service)
}

func (w *world) serviceMeta(app *app, namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace:   namespace,
		Name:        app.name,
		Labels:      map[string]string{"app": app.name, "app.kubernetes.io/name": app.name, "team": namespace, "example.com/job": "job-of-" + app.name},
		Annotations: map[string]string{"description": "the " + app.name},
	}
}

// makeSlices spreads the pods over slices, and over as many again for IPv6.
func (w *world) makeSlices(app *app, namespace string, pods []*corev1.Pod) {
	families := []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4}
	if app.dualStack {
		families = append(families, discoveryv1.AddressTypeIPv6)
	}
	for _, family := range families {
		for part := range app.slices {
			name := fmt.Sprintf("%s-%s-%d", app.name, strings.ToLower(string(family)), part)
			slice := newSlice(namespace, name, app.name, family)
			slice.Labels["app"] = app.name
			slice.Labels["team"] = namespace
			slice.Annotations = map[string]string{"example.com/part": fmt.Sprint(part)}
			for _, port := range app.ports {
				made := slicePort(port)
				if port.name == "web" {
					made.AppProtocol = new("http")
				}
				slice.Ports = append(slice.Ports, made)
			}
			for i, pod := range pods {
				if i%app.slices == part {
					slice.Endpoints = append(slice.Endpoints, w.endpointOf(pod, family))
				}
			}
			w.add("discovery.k8s.io/v1", "EndpointSlice", slice)
		}
	}
}

func newSlice(namespace, name, service string, family discoveryv1.AddressType) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace,
			Name:      name,
			Labels:    map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: family,
	}
}

func slicePort(port port) discoveryv1.EndpointPort {
	return discoveryv1.EndpointPort{Name: &port.name, Port: &port.number, Protocol: new(corev1.ProtocolTCP)}
}

func (w *world) endpointOf(pod *corev1.Pod, family discoveryv1.AddressType) discoveryv1.Endpoint {
	address := pod.Status.PodIP
	if family == discoveryv1.AddressTypeIPv6 {
		address = pod.Status.PodIPs[1].IP
	}
	terminating := pod.DeletionTimestamp != nil
	serving := pod.Status.Conditions[0].Status == corev1.ConditionTrue
	ready := serving && !terminating
	endpoint := discoveryv1.Endpoint{
		Addresses:  []string{address},
		Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		NodeName:   &pod.Spec.NodeName,
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name},
	}
	if w.chance(0.6) {
		endpoint.Conditions.Serving, endpoint.Conditions.Terminating = &serving, &terminating
	}
	if w.chance(0.5) {
		endpoint.Zone = new("eu-west-1a")
	}
	if w.chance(0.3) {
		endpoint.Hostname = &pod.Name
	}
	return endpoint
}

// makeEndpoints makes Endpoints with one subset for each kind of port.
func (w *world) makeEndpoints(app *app, namespace string, pods []*corev1.Pod) {
	subset := corev1.EndpointSubset{}
	for _, port := range app.ports {
		subset.Ports = append(subset.Ports, corev1.EndpointPort{Name: port.name, Port: port.number})
	}
	for _, pod := range pods {
		address := corev1.EndpointAddress{
			IP:        pod.Status.PodIP,
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name},
		}
		if w.chance(0.7) {
			address.NodeName = &pod.Spec.NodeName
		}
		if pod.Status.Conditions[0].Status == corev1.ConditionTrue {
			subset.Addresses = append(subset.Addresses, address)
		} else {
			subset.NotReadyAddresses = append(subset.NotReadyAddresses, address)
		}
	}
	endpoints := &corev1.Endpoints{ObjectMeta: w.serviceMeta(app, namespace), Subsets: []corev1.EndpointSubset{subset}}
	w.add("v1", "Endpoints", endpoints)
}
