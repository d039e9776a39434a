package main

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// makeOddities makes what no app has: services without pods of the cluster,
// slices without a service, ingresses.
func (w *world) makeOddities() {
	w.makeExternalServices()
	w.makeOrphanSlices()
	w.makeIngresses()
}

// makeExternalServices makes a service by name only, and one that leads out of
// the cluster.
func (w *world) makeExternalServices() {
	w.add("v1", "Service", &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "by-name", Labels: map[string]string{"app": "external"}},
		Spec: corev1.ServiceSpec{
			Type:         corev1.ServiceTypeExternalName,
			ExternalName: "legacy.example.com",
			Ports:        []corev1.ServicePort{{Name: "metrics", Port: 9100}},
		},
	})
	w.add("v1", "Service", &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "outside", Labels: map[string]string{"app": "external"}},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.0.0.200", Ports: []corev1.ServicePort{{Name: "metrics", Port: 9100}}},
	})

	addresses := newSlice("shop", "outside-v4", "outside", discoveryv1.AddressTypeIPv4)
	addresses.Ports = []discoveryv1.EndpointPort{slicePort(port{"metrics", 9100})}
	addresses.Endpoints = []discoveryv1.Endpoint{
		{Addresses: []string{"198.51.100.1"}},
		{Addresses: []string{"198.51.100.2"}, NodeName: new("node-1")},
		// A target each, though the API only means the first.
		{Addresses: []string{"198.51.100.3", "198.51.100.4"}},
		{Addresses: []string{"198.51.100.5"}, TargetRef: &corev1.ObjectReference{Kind: "Node", Name: "node-2"}},
		{Addresses: []string{"198.51.100.6"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "gone"}},
	}
	w.add("discovery.k8s.io/v1", "EndpointSlice", addresses)

	names := newSlice("shop", "outside-names", "outside", discoveryv1.AddressTypeFQDN)
	names.Ports = addresses.Ports
	names.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"db.example.com"}}}
	w.add("discovery.k8s.io/v1", "EndpointSlice", names)
}

// makeOrphanSlices makes slices that no service is behind, and one that names
// no port.
func (w *world) makeOrphanSlices() {
	gone := newSlice("team-b", "gone-v4", "gone", discoveryv1.AddressTypeIPv4)
	gone.Labels["app"] = "gone"
	gone.Ports = []discoveryv1.EndpointPort{slicePort(port{"metrics", 9100})}
	gone.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"198.51.100.20"}}}
	w.add("discovery.k8s.io/v1", "EndpointSlice", gone)

	nobodys := newSlice("team-b", "nobodys", "", discoveryv1.AddressTypeIPv4)
	nobodys.Labels = map[string]string{"app": "nobody"}
	nobodys.Ports = gone.Ports
	nobodys.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"198.51.100.21"}}}
	w.add("discovery.k8s.io/v1", "EndpointSlice", nobodys)

	portless := newSlice("team-b", "portless", "web", discoveryv1.AddressTypeIPv4)
	portless.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"198.51.100.22"}}}
	w.add("discovery.k8s.io/v1", "EndpointSlice", portless)
}

func (w *world) makeIngresses() {
	rule := func(host string, paths ...string) networkingv1.IngressRule {
		http := &networkingv1.HTTPIngressRuleValue{}
		for _, path := range paths {
			http.Paths = append(http.Paths, networkingv1.HTTPIngressPath{
				Path: path, PathType: new(networkingv1.PathTypePrefix),
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
					Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80},
				}},
			})
		}
		return networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: http}}
	}
	for _, namespace := range []string{"shop", "team-a"} {
		domain := namespace + ".example.com"
		w.add("networking.k8s.io/v1", "Ingress", &networkingv1.Ingress{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "front", Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"example.com/tls": "yes"}},
			Spec: networkingv1.IngressSpec{
				IngressClassName: new("public"),
				TLS:              []networkingv1.IngressTLS{{Hosts: []string{domain, "*.wild." + domain}}},
				Rules: []networkingv1.IngressRule{
					rule(domain, "/", "/api"),
					rule("a.wild."+domain, "/"),
					rule("plain."+domain, "/"),
					{Host: "empty." + domain},
				},
			},
		})
	}
}
