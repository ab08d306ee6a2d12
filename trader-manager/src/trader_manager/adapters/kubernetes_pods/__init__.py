"""Traders as pods of a cluster."""

from trader_manager.adapters.kubernetes_pods.objects import PodRules
from trader_manager.adapters.kubernetes_pods.pods import KubernetesPods

__all__ = ["KubernetesPods", "PodRules"]
