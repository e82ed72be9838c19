"""python -m locaria.cli"""

from locaria.cli import main

main()
