"""The webhook actor: it writes the permanent record, then sends one signed POST and notes the verdict.

It may import `middleware` and `schema`; none of the other rooms here.
Begin with `delivery.py`; `sender.py` opens the connection, `exact_http.py` sends the bytes as they are.
"""
