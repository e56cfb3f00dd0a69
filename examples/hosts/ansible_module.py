#!/usr/bin/python
"""A module of Ansible; as `library/connector.py` beside a playbook, a task says:

    connector: {plugin: pagerduty, command: list_users, values: "{{ pagerduty }}", inputs: {query: kyler}}

`pagerduty` is a variable of the vault, with the connection's parameters and secrets. Templates give texts, so each
input is read as its schema says.
"""

from ansible.module_utils.basic import AnsibleModule

from connector_host import Options, Status
from connector_host.blocking import run_once


def main():
    text, mapping = {"type": "str", "required": True}, {"type": "dict", "default": {}}
    spec = {"plugin": text, "command": text, "values": {**mapping, "no_log": True}, "inputs": mapping}
    given = AnsibleModule(argument_spec=spec)
    asked = [given.params[name] for name in spec]
    result = run_once(*asked, options=Options(record=False, text_inputs=True))
    document = result.document()
    if result.status is Status.FAILED:
        given.fail_json(msg="; ".join(map(str, result.errors)), result=document)
    given.exit_json(changed=document["effect"] != "none", result=document)


if __name__ == "__main__":
    main()
